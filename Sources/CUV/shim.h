// libuv, for QuashLoop alone. What Swift cannot import gets a static inline function here.
#include <sys/prctl.h>
#include <sys/socket.h>
#include <uv.h>

// prctl(2) has variable arguments. Linux keeps 15 bytes of the name.
static inline int quash_name_this_thread(const char *name) {
    return prctl(PR_SET_NAME, name, 0, 0, 0);
}

// accept4(2) is an extension of Linux that the system's headers show to C programs only if they ask for it.
extern int accept4(int listener, struct sockaddr *peer, socklen_t *length, int flags);

// The next connection, which neither blocks nor is inherited; -1 and errno without one.
static inline int quash_accept(int listener) {
    return accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
