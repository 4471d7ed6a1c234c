/* A thread for each client, and nobody has thought of SIGPIPE: it ends the process. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int read_all(int fd, char *to, size_t count) {
    for (size_t at = 0; at < count;) {
        ssize_t got = read(fd, to + at, count - at);
        if (got <= 0)
            return -1;
        at += got;
    }
    return 0;
}

static int write_all(int fd, const char *from, size_t count) {
    for (size_t at = 0; at < count;) {
        ssize_t went = write(fd, from + at, count - at);
        if (went < 0)
            return -1;
        at += went;
    }
    return 0;
}

static void *serve(void *arg) {
    int fd = (int)(intptr_t)arg;
    static const size_t max = 1 << 20;
    char *body = malloc(max);
    uint32_t prefix;
    while (body && read_all(fd, (char *)&prefix, 4) == 0) {
        size_t length = ntohl(prefix);
        if (length > max || read_all(fd, body, length) < 0)
            break;
        if (write_all(fd, (char *)&prefix, 4) < 0 || write_all(fd, body, length) < 0)
            break;
    }
    free(body);
    close(fd);
    return NULL;
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(argc > 1 ? atoi(argv[1]) : 0),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 128) < 0)
        return 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        pthread_t thread;
        if (fd >= 0 && pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
    }
}
