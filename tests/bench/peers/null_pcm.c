/* alsa-lib's own mmap write, to its `null` PCM, in C. */
#include "peers.h"

#include <alsa/asoundlib.h>

static const char NAME[] = "snd_pcm_t";

static PyObject *failed(const char *what, long error)
{
    return PyErr_Format(PyExc_OSError, "%s: %s", what, snd_strerror((int)error));
}

static void null_close(PyObject *capsule)
{
    snd_pcm_close(PyCapsule_GetPointer(capsule, NAME));
}

/* (channels, rate): S16_LE, mmap interleaved. */
PyObject *null_open(PyObject *module, PyObject *arguments)
{
    snd_pcm_hw_params_t *hw;
    snd_pcm_t *pcm;
    unsigned int channels, rate;
    int error;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "II", &channels, &rate))
        return NULL;
    error = snd_pcm_open(&pcm, "null", SND_PCM_STREAM_PLAYBACK, 0);
    if (error < 0)
        return failed("snd_pcm_open", error);
    snd_pcm_hw_params_alloca(&hw);
    if ((error = snd_pcm_hw_params_any(pcm, hw)) < 0 ||
        (error = snd_pcm_hw_params_set_access(pcm, hw, SND_PCM_ACCESS_MMAP_INTERLEAVED)) < 0 ||
        (error = snd_pcm_hw_params_set_format(pcm, hw, SND_PCM_FORMAT_S16_LE)) < 0 ||
        (error = snd_pcm_hw_params_set_channels(pcm, hw, channels)) < 0 ||
        (error = snd_pcm_hw_params_set_rate(pcm, hw, rate, 0)) < 0 ||
        (error = snd_pcm_hw_params_set_buffer_size(pcm, hw, 8192)) < 0 ||
        (error = snd_pcm_hw_params(pcm, hw)) < 0) {
        snd_pcm_close(pcm);
        return failed("snd_pcm_hw_params", error);
    }
    return PyCapsule_New(pcm, NAME, null_close);
}

/* (pcm, samples, frames, times) */
PyObject *null_loop(PyObject *module, PyObject *arguments)
{
    PyObject *capsule;
    Py_buffer block;
    unsigned long frames, times;
    snd_pcm_sframes_t moved = 0;
    snd_pcm_t *pcm;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "Oy*kk", &capsule, &block, &frames, &times))
        return NULL;
    pcm = PyCapsule_GetPointer(capsule, NAME);
    while (pcm && times-- && moved >= 0)
        moved = snd_pcm_mmap_writei(pcm, block.buf, frames);
    PyBuffer_Release(&block);
    if (!pcm)
        return NULL;
    if (moved < 0)
        return failed("snd_pcm_mmap_writei", moved);
    return PyLong_FromLong(moved);
}
