// libuv, for QuashLoop alone. What Swift cannot import gets a static inline function here.
#include <sys/prctl.h>
#include <uv.h>

// prctl(2) has variable arguments. Linux keeps 15 bytes of the name.
static inline int quash_name_this_thread(const char *name) {
    return prctl(PR_SET_NAME, name, 0, 0, 0);
}
