/* The reference for tests: makes a filter with libseccomp as runc's libcontainer/seccomp does.
 *
 * stdin, a line each:  default VERDICT | no-native | arch TOKEN | rule VERDICT NAME COUNT {INDEX OP VALUE VALUE_TWO}…
 * stdout: the program (struct sock_filter[]); stderr: one line when libseccomp refuses.
 * With the argument "table TOKEN" it prints libseccomp's names and numbers of an architecture instead. */
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static scmp_filter_ctx filter;
static uint32_t default_verdict;
static unsigned rules;

static void check(int result, const char *what) {
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, strerror(-result));
        exit(1);
    }
}

static void print_table(uint32_t arch) {
    int base = arch == SCMP_ARCH_X32 ? 0x40000000 : 0;
    for (int number = 0; number < 1024; number++) {
        char *name = seccomp_syscall_resolve_num_arch(arch, base + number);
        if (name != NULL)
            printf("%d %s\n", number, name);
        free(name);
    }
}

static void add_rule(void) {
    uint32_t verdict;
    char name[64];
    unsigned count, uses[6] = {0}, shared = 0;
    struct scmp_arg_cmp args[16];
    if (scanf("%" SCNu32 " %63s %u", &verdict, name, &count) != 3 || count > 16)
        exit(2);
    for (unsigned i = 0; i < count; i++) {
        int op;
        if (scanf("%u %d %" SCNu64 " %" SCNu64, &args[i].arg, &op, &args[i].datum_a, &args[i].datum_b) != 4)
            exit(2);
        args[i].op = (enum scmp_compare)op;
        shared |= uses[args[i].arg]++;
    }
    /* Binary search. runc has it from 33 rules on; without it libseccomp 2.5.4 compares numbers that it has not loaded
     * where the first call of its list is one that the architecture lacks. */
    if (rules++ == 0)
        check(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize");
    int number = seccomp_syscall_resolve_name(name);
    if (verdict == default_verdict || number == __NR_SCMP_ERROR)
        return;
    if (!shared) {
        check(seccomp_rule_add_array(filter, verdict, number, count, args), name);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        check(seccomp_rule_add_array(filter, verdict, number, 1, &args[i]), name);
}

int main(int argc, char **argv) {
    char word[32];
    uint32_t value;
    if (argc == 3) {
        print_table(strtoul(argv[2], NULL, 10));
        return 0;
    }
    while (scanf("%31s", word) == 1) {
        if (strcmp(word, "rule") == 0) {
            add_rule();
        } else if (strcmp(word, "no-native") == 0) {
            check(seccomp_arch_remove(filter, SCMP_ARCH_NATIVE), word);
        } else if (scanf("%" SCNu32, &value) != 1) {
            return 2;
        } else if (strcmp(word, "default") == 0) {
            default_verdict = value;
            filter = seccomp_init(value);
            if (filter == NULL)
                return 2;
        } else if (strcmp(word, "arch") == 0) {
            int result = seccomp_arch_add(filter, value);
            check(result == -EEXIST ? 0 : result, word);
        } else {
            return 2;
        }
    }
    check(seccomp_export_bpf(filter, 1), "export");
    return 0;
}
