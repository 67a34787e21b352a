/* What examples/synth.py does, through alsa-lib: notes, a period at a time. Prints its xruns.
 *
 * synth DEVICE SECONDS PERIOD PERIODS FREQUENCY BEGIN END [FREQUENCY BEGIN END ...]
 */
#include <alsa/asoundlib.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RATE = 48000, MOST = 4096 };

static void must(int code, const char *what)
{
	if (code < 0) {
		fprintf(stderr, "%s: %s\n", what, snd_strerror(code));
		exit(1);
	}
}

static snd_pcm_t *open_pcm(const char *device, snd_pcm_uframes_t period, snd_pcm_uframes_t buffer)
{
	snd_pcm_t *pcm;
	snd_pcm_hw_params_t *hw;
	snd_pcm_sw_params_t *sw;

	must(snd_pcm_open(&pcm, device, SND_PCM_STREAM_PLAYBACK, 0), "open");
	snd_pcm_hw_params_alloca(&hw);
	must(snd_pcm_hw_params_any(pcm, hw), "any");
	must(snd_pcm_hw_params_set_access(pcm, hw, SND_PCM_ACCESS_MMAP_INTERLEAVED), "access");
	must(snd_pcm_hw_params_set_format(pcm, hw, SND_PCM_FORMAT_S16_LE), "format");
	must(snd_pcm_hw_params_set_channels(pcm, hw, 2), "channels");
	must(snd_pcm_hw_params_set_rate(pcm, hw, RATE, 0), "rate");
	must(snd_pcm_hw_params_set_period_size(pcm, hw, period, 0), "period size");
	must(snd_pcm_hw_params_set_buffer_size(pcm, hw, buffer), "buffer size");
	must(snd_pcm_hw_params(pcm, hw), "hw_params");
	snd_pcm_sw_params_alloca(&sw);
	must(snd_pcm_sw_params_current(pcm, sw), "current");
	must(snd_pcm_sw_params_set_start_threshold(pcm, sw, buffer), "start threshold");
	must(snd_pcm_sw_params_set_avail_min(pcm, sw, period), "avail_min");
	must(snd_pcm_sw_params(pcm, sw), "sw_params");
	return pcm;
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + 1e-9 * now.tv_nsec;
}

int main(int argc, char **argv)
{
	static int16_t block[MOST][2];

	if (argc < 5 || (argc - 5) % 3)
		return 2;
	int period = atoi(argv[3]);
	long turn, xruns = 0;
	snd_pcm_t *pcm = open_pcm(argv[1], period, period * atoi(argv[4]));

	int count = (argc - 5) / 3;
	double (*notes)[3] = calloc(count + 1, sizeof *notes);
	for (int n = 0; n < 3 * count; n++)
		notes[n / 3][n % 3] = atof(argv[5 + n]);

	double end = seconds() + atof(argv[2]);
	for (turn = 0; seconds() < end; turn++) {
		for (int i = 0; i < period; i++) {
			double now = (double)(turn * period + i) / RATE, sum = 0;
			for (int n = 0; n < count; n++) {
				double age = now - notes[n][1], left = notes[n][2] + 0.05 - now;
				if (age > 0 && left > 0)
					sum += sin(2 * M_PI * notes[n][0] * age) * fmin(1, fmin(age / 0.005, left / 0.05));
			}
			block[i][0] = block[i][1] = 32767 * fmax(-1, fmin(1, 0.2 * sum));
		}
		for (int done = 0; done < period;) {
			snd_pcm_sframes_t written = snd_pcm_mmap_writei(pcm, block + done, period - done);
			if (written == -EPIPE) {
				xruns++;
				must(snd_pcm_prepare(pcm), "prepare");
			} else {
				must(written, "writei");
				done += written;
			}
		}
	}
	snd_pcm_drop(pcm);
	printf("%ld frames, %ld xruns\n", turn * period, xruns);
	return 0;
}
