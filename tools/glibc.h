/* Put before every source of a wheel (-include), which then also runs on a glibc as old as 2.27.
 *
 * glibc 2.32 to 2.34 moved these functions from libpthread to libc, and fstat and fstatat out of line. They do what they
 * did, but under a new version, and where that is missing the loader refuses the module. fcntl64 came with 2.28, and is
 * fcntl where long has 64 bits. The old names stand beside the new ones in every glibc since. -D_GNU_SOURCE= has to come
 * with it, for headers are read here before a source can say so. */
#ifndef ALSAMM_GLIBC_H
#define ALSAMM_GLIBC_H

#include <sys/stat.h>

#if defined(__x86_64__)
#define ALSAMM_STAT_VERSION 1
__asm__(".symver fcntl64, fcntl@GLIBC_2.2.5");
__asm__(".symver pthread_create, pthread_create@GLIBC_2.2.5");
__asm__(".symver pthread_join, pthread_join@GLIBC_2.2.5");
__asm__(".symver pthread_sigmask, pthread_sigmask@GLIBC_2.2.5");
__asm__(".symver pthread_setname_np, pthread_setname_np@GLIBC_2.12");
#elif defined(__aarch64__)
#define ALSAMM_STAT_VERSION 0
__asm__(".symver fcntl64, fcntl@GLIBC_2.17");
__asm__(".symver pthread_create, pthread_create@GLIBC_2.17");
__asm__(".symver pthread_join, pthread_join@GLIBC_2.17");
__asm__(".symver pthread_sigmask, pthread_sigmask@GLIBC_2.17");
__asm__(".symver pthread_setname_np, pthread_setname_np@GLIBC_2.17");
#else
#error "no wheels are made for this machine"
#endif

int __fxstat(int version, int fd, struct stat *file);
int __fxstatat(int version, int folder, const char *name, struct stat *file, int flags);
#define fstat(fd, file) __fxstat(ALSAMM_STAT_VERSION, fd, file)
#define fstatat(folder, name, file, flags) __fxstatat(ALSAMM_STAT_VERSION, folder, name, file, flags)

#endif
