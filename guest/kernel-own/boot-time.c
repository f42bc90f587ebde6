/* /init of boot-time.mjs: says on the console that user space runs, and how much memory is left; then powers off. */
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void) {
  static char text[8192];
  int console = open("/dev/console", O_WRONLY);
  write(console, "INIT\n", 5);
  mkdir("/proc", 0755);
  mount("proc", "/proc", "proc", 0, 0);
  int meminfo = open("/proc/meminfo", O_RDONLY);
  write(console, text, read(meminfo, text, sizeof text));
  write(console, "END\n", 4);
  reboot(RB_POWER_OFF);
  return 1;
}
