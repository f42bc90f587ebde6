/* The first process of a guest for bench/bare-template.mjs: says "ready", waits until a virtio-fs device has its driver, mounts the share,
 * and says "mounted".
 */
#define _GNU_SOURCE
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void say(const char *word) {
  if (write(1, word, strlen(word)) < 0) fail("write");
}

/* A socket at which the kernel tells of devices: lib/kobject_uevent.c. */
static int open_uevents(void) {
  struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = 1};
  int events = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
  if (events < 0) fail("socket");
  if (bind(events, (struct sockaddr *)&all, sizeof all) < 0) fail("bind");
  return events;
}

/* An event is "bind@/devices/...", then NAME=VALUE, each with a NUL behind it. */
static void await_driver(int events) {
  static const char DRIVER[] = "DRIVER=virtiofs";
  char event[8192];
  for (;;) {
    ssize_t length = recv(events, event, sizeof event, 0);
    if (length < 0) fail("recv");
    if (length > 5 && memcmp(event, "bind@", 5) == 0 && memmem(event, length, DRIVER, sizeof DRIVER)) return;
  }
}

int main(void) {
  int events = open_uevents();
  if (mkdir("/share", 0700) < 0) fail("mkdir");
  say("ready\n");
  await_driver(events);
  if (mount("share", "/share", "virtiofs", 0, NULL) < 0) fail("mount");
  say("mounted\n");
  for (;;) pause();
}
