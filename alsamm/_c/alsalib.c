/* What alsa-lib does that we would rather it did otherwise. */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <alsa/asoundlib.h>

void alsamm_on_alsa_message(const char *function, int error, const char *text);
void alsamm_route_messages(void);
int alsamm_hide_ring_from_children(snd_pcm_t *pcm);

/* It prints its complaints on stderr, where they help nobody and frighten users; here they go to Python's logging. */

__attribute__((format(printf, 5, 6)))
static void on_message(const char *file, int line, const char *function, int error, const char *format, ...)
{
    char text[512];
    va_list arguments;

    (void)file;
    (void)line;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    alsamm_on_alsa_message(function, error, text);
}

void alsamm_route_messages(void)
{
    snd_lib_error_set_handler(on_message);
}

/* For mmap access it maps the ring for itself (rule L5), and a child inherits that: then the kernel refuses to configure the
 * card until the child ends (rule C9). Call in state PREPARED, before anybody else moves pointers. */
int alsamm_hide_ring_from_children(snd_pcm_t *pcm)
{
    const snd_pcm_channel_area_t *areas;
    snd_pcm_uframes_t offset, frames = 1, buffer_size, period_size;
    snd_pcm_hw_params_t *params;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    snd_pcm_format_t format;
    unsigned int channels;
    int error;

    if (snd_pcm_type(pcm) != SND_PCM_TYPE_HW)
        return 0;
    snd_pcm_hw_params_alloca(&params);
    error = snd_pcm_hw_params_current(pcm, params);
    if (error >= 0)
        error = snd_pcm_hw_params_get_channels(params, &channels);
    if (error >= 0)
        error = snd_pcm_hw_params_get_format(params, &format);
    if (error >= 0)
        error = snd_pcm_get_params(pcm, &buffer_size, &period_size);
    if (error >= 0)
        error = snd_pcm_mmap_begin(pcm, &areas, &offset, &frames);
    if (error < 0)
        return error;
    for (unsigned int c = 0; c < channels; c++) {
        uintptr_t begin = (uintptr_t)areas[c].addr / page * page;
        uintptr_t bits = areas[c].first + areas[c].step * (buffer_size - 1) + (uintptr_t)snd_pcm_format_physical_width(format);
        uintptr_t end = (uintptr_t)areas[c].addr + (bits + 7) / 8; /* not a byte more: the next page is somebody else's */
        if (madvise((void *)begin, end - begin, MADV_DONTFORK) < 0)
            return -errno;
    }
    return 0;
}
