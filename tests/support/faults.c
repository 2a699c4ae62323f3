/* Preloaded into a process, makes the file system fail for the files whose path holds FAULT_PATH
 * and not FAULT_EXCEPT.
 *
 *   FAULT_CALL    open | fallocate | write | truncate | fsync | rename | fsyncdir
 *   FAULT_ERRNO   the number of the error
 *   FAULT_FROM    the number of the first call that fails, from 1; all after it fail too
 *
 * `fsyncdir` is the fsync of a directory, `fsync` that of a file.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_int seen;

static int fails(const char *call, const char *path) {
    const char *wanted = getenv("FAULT_CALL"), *part = getenv("FAULT_PATH");
    if (!wanted || !part || strcmp(wanted, call) || !path || !strstr(path, part)) return 0;
    if (strstr(path, getenv("FAULT_EXCEPT"))) return 0;
    if (atomic_fetch_add(&seen, 1) + 1 < atoi(getenv("FAULT_FROM"))) return 0;
    errno = atoi(getenv("FAULT_ERRNO"));
    return 1;
}

static int fails_at(const char *call, int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(call, path);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int opens(const char *symbol, const char *path, int flags, va_list rest) {
    int mode = (flags & O_CREAT) ? va_arg(rest, int) : 0;
    if ((flags & O_CREAT) && fails("open", path)) return -1;
    return ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, symbol))(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int file = opens("open", path, flags, rest);
    va_end(rest);
    return file;
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int file = opens("open64", path, flags, rest);
    va_end(rest);
    return file;
}

ssize_t write(int file, const void *data, size_t size) {
    return fails_at("write", file) ? -1 : NEXT(write)(file, data, size);
}

int fsync(int file) {
    struct stat status;
    int directory = !fstat(file, &status) && S_ISDIR(status.st_mode);
    return fails_at(directory ? "fsyncdir" : "fsync", file) ? -1 : NEXT(fsync)(file);
}

int ftruncate64(int file, off64_t size) {
    return fails_at("truncate", file) ? -1 : NEXT(ftruncate64)(file, size);
}

int ftruncate(int file, off_t size) {
    return fails_at("truncate", file) ? -1 : NEXT(ftruncate)(file, size);
}

int posix_fallocate64(int file, off64_t from, off64_t size) {
    return fails_at("fallocate", file) ? errno : NEXT(posix_fallocate64)(file, from, size);
}

int posix_fallocate(int file, off_t from, off_t size) {
    return fails_at("fallocate", file) ? errno : NEXT(posix_fallocate)(file, from, size);
}

int rename(const char *from, const char *to) {
    return fails("rename", to) ? -1 : NEXT(rename)(from, to);
}
