/* TCP for bench/promises/tcp.mjs: serves in a guest, measures on the host.
 *
 *   tcp serve PORT                               serves one client after the other
 *   tcp in|out|latency ADDRESS PORT COUNT        prints the seconds that it took to send COUNT bytes to the server, to receive them from
 *                                                it, or to have COUNT bytes answered one by one
 *   init … boot ADDRESS PORT                     as the first process of a guest: loads /modules/0, /modules/1, …, gives eth0 the
 *                                                address, serves
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What a client wants: the first letter of its mode, and the count. */
struct order {
  char mode;
  char count[20];
};

static char buffer[256 << 10];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void send_all(int to, const void *bytes, size_t length) {
  for (const char *at = bytes; length > 0;) {
    ssize_t sent = write(to, at, length);
    if (sent <= 0) fail("write");
    at += sent;
    length -= sent;
  }
}

/* Whether all of them came. */
static int receive_all(int from, void *bytes, size_t length) {
  for (char *at = bytes; length > 0;) {
    ssize_t received = read(from, at, length);
    if (received <= 0) return 0;
    at += received;
    length -= received;
  }
  return 1;
}

static void send_many(int to, long count) {
  for (; count > 0; count -= sizeof buffer) {
    send_all(to, buffer, count < (long)sizeof buffer ? (size_t)count : sizeof buffer);
  }
}

static void receive_many(int from, long count) {
  while (count > 0) {
    ssize_t received = read(from, buffer, sizeof buffer);
    if (received <= 0) fail("read");
    count -= received;
  }
}

static struct sockaddr_in address_of(const char *address, const char *port) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  if (inet_pton(AF_INET, address, &name.sin_addr) != 1) fail(address);
  return name;
}

static void at_once(int connection) {
  int on = 1;
  if (setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) fail("TCP_NODELAY");
}

static void answer(int client) {
  struct order order;
  if (!receive_all(client, &order, sizeof order)) return;
  long count = atol(order.count);
  at_once(client);
  if (order.mode == 'i') {
    receive_many(client, count);
    send_all(client, "", 1);
  } else if (order.mode == 'o') {
    send_many(client, count);
  } else {
    for (char byte; receive_all(client, &byte, 1);) send_all(client, &byte, 1);
  }
}

static void serve(const char *port) {
  struct sockaddr_in name = address_of("0.0.0.0", port);
  int server = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(server, (struct sockaddr *)&name, sizeof name) < 0) fail("bind");
  if (listen(server, 8) < 0) fail("listen");
  for (;;) {
    int client = accept(server, NULL, NULL);
    if (client < 0) fail("accept");
    answer(client);
    close(client);
  }
}

/* Tries until the server is there. */
static int connect_to(const char *address, const char *port) {
  struct sockaddr_in name = address_of(address, port);
  struct timespec pause = {.tv_nsec = 50000000};
  for (;;) {
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(server, (struct sockaddr *)&name, sizeof name) == 0) return server;
    close(server);
    nanosleep(&pause, NULL);
  }
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void measure(char mode, const char *address, const char *port, const char *count) {
  int server = connect_to(address, port);
  struct order order = {.mode = mode};
  char byte = 0;
  at_once(server);
  strncpy(order.count, count, sizeof order.count - 1);
  double started = now();
  send_all(server, &order, sizeof order);
  if (mode == 'i') {
    send_many(server, atol(count));
    if (!receive_all(server, &byte, 1)) fail("read");
  } else if (mode == 'o') {
    receive_many(server, atol(count));
  } else {
    for (long left = atol(count); left > 0; left--) {
      send_all(server, &byte, 1);
      if (!receive_all(server, &byte, 1)) fail("read");
    }
  }
  printf("%.6f\n", now() - started);
}

static void load_modules(void) {
  for (int number = 0;; number++) {
    char path[32];
    snprintf(path, sizeof path, "/modules/%d", number);
    int module = open(path, O_RDONLY | O_CLOEXEC);
    if (module < 0) return;
    if (syscall(SYS_finit_module, module, "", 0) < 0) fail(path);
    close(module);
  }
}

static void give_address(const char *address) {
  struct ifreq request = {.ifr_name = "eth0"};
  struct sockaddr_in name = address_of(address, "0"), mask = address_of("255.255.255.0", "0");
  int any = socket(AF_INET, SOCK_DGRAM, 0);
  memcpy(&request.ifr_addr, &name, sizeof name);
  if (ioctl(any, SIOCSIFADDR, &request) < 0) fail("SIOCSIFADDR");
  memcpy(&request.ifr_netmask, &mask, sizeof mask);
  if (ioctl(any, SIOCSIFNETMASK, &request) < 0) fail("SIOCSIFNETMASK");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(any, SIOCSIFFLAGS, &request) < 0) fail("SIOCSIFFLAGS");
  close(any);
}

int main(int count, char **words) {
  if (count == 3 && strcmp(words[1], "serve") == 0) serve(words[2]);
  if (count > 3 && strcmp(words[count - 3], "boot") == 0) {
    load_modules();
    give_address(words[count - 2]);
    serve(words[count - 1]);
  }
  if (count != 5) return 2;
  measure(words[1][0], words[2], words[3], words[4]);
  return 0;
}
