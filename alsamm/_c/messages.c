/* alsa-lib prints its complaints on stderr, where they help nobody and frighten users; here they go to Python's logging. */
#include <stdarg.h>
#include <stdio.h>
#include <alsa/asoundlib.h>

void alsamm_on_alsa_message(const char *function, int error, const char *text);
void alsamm_route_messages(void);

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
