/* Loads a filter into the kernel for this process, then makes calls under it.
 * usage: filter-loader PROGRAM FLAGS {NUMBER,FIRST_ARGUMENT}…   prints the errno of each call, 0 for none */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct sock_filter program[4096];

int main(int argc, char **argv) {
    FILE *file = fopen(argv[1], "rb");
    if (argc < 3 || file == NULL)
        return 2;
    struct sock_fprog loaded = {.len = fread(program, sizeof program[0], 4096, file), .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, strtoul(argv[2], NULL, 10), &loaded) < 0) {
        perror("seccomp");
        return 1;
    }
    for (int i = 3; i < argc; i++) {
        char *comma;
        long number = strtol(argv[i], &comma, 10);
        unsigned long argument = strtoul(comma + 1, NULL, 10);
        errno = 0;
        syscall(number, argument, 0, 0, 0, 0, 0);
        printf("%d\n", errno);
    }
    return 0;
}
