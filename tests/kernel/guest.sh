#!/bin/sh
# Process 1 of the guest, once its root is there: bring up the cards, run the command, hand back its status.
# It reads what the host wrote in $lab (env, modprobe, expect, command.sh) and never waits for input.
results=/run/lab/results
lab=$results/lab
. "$lab/env"

say() { echo "lab: $*"; }

finish() {
    echo "$1" >"$results/status.new" && mv "$results/status.new" "$results/status"
    sync
    echo o >/proc/sysrq-trigger
    while :; do sleep 1; done
}

# Output goes to the host by its own channel: the kernel's chatter stays on the serial console.
channel=/dev/console
for port in /sys/class/virtio-ports/*; do
    if [ "$(cat "$port/name" 2>/dev/null)" = alsamm.lab ]; then channel=/dev/${port##*/}; fi
done
if [ -n "$LAB_INTERACTIVE" ]; then channel=/dev/hvc0; fi
exec >"$channel" 2>&1 </dev/null

mkdir -p /dev/shm /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t devpts devpts /dev/pts
[ "$(date +%s)" -gt 1600000000 ] || date -s "@$LAB_EPOCH" >/dev/null
ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null
say "$(uname -srm), $(cut -d. -f1 /proc/uptime) s after power-on"

while read -r line; do
    # shellcheck disable=SC2086
    modprobe $line || say "modprobe $line: failed"
done <"$lab/modprobe"

# Each line of $lab/expect: the device's name and what must exist below /proc/asound.
absent() {
    while read -r name nodes; do
        for node in $nodes; do
            [ -d "/proc/asound/$node" ] || echo "$name"
        done
    done <"$lab/expect" | uniq
}

waited=0
while missing=$(absent) && [ -n "$missing" ] && [ $waited -lt 40 ]; do
    if [ $waited -eq 15 ] && echo "$missing" | grep -q '^hda'; then
        say "no HDA codec yet: unbinding and binding the driver"
        cd /sys/bus/pci/drivers/snd_hda_intel && for slot in 0000:*; do
            echo "$slot" >unbind
            echo "$slot" >bind
        done
    fi
    waited=$((waited + 1))
    sleep 0.2
done
cat /proc/asound/cards
missing=$(absent)
echo "$missing" >"$results/missing"
LAB_DEVICES=
while read -r name _; do
    if echo "$missing" | grep -qx -- "$name"; then
        echo "MISSING DEVICE: $name"
    else
        LAB_DEVICES=${LAB_DEVICES:+$LAB_DEVICES,}$name
    fi
done <"$lab/expect"
export LAB_DEVICES

# Full volume, nothing muted: what is sent is what arrives.
for card in $LAB_SPEAKERS; do
    amixer -c "$card" scontrols 2>/dev/null | sed "s/^Simple mixer control //" | while read -r control; do
        amixer -q -c "$card" sset "$control" 100% unmute cap 2>/dev/null ||
            amixer -q -c "$card" sset "$control" 100% 2>/dev/null
    done
done

if [ -n "$LAB_COPY" ]; then
    # No compiled module for this machine in the checkout: a copy of it, on tmpfs, gets one.
    mkdir -p "$LAB_CHECKOUT"
    tar -C /run/lab/checkout --exclude=./.venv --exclude=./.git --exclude=./build --exclude='*.so' --exclude=_native.c \
        --exclude=__pycache__ --exclude=./.mypy_cache --exclude=./.ruff_cache --exclude=./.hypothesis \
        -cf - . | tar -C "$LAB_CHECKOUT" -xf - || finish 4
    cd "$LAB_CHECKOUT" || finish 4
    if [ -f "$lab/extension.tar" ]; then
        tar -xf "$lab/extension.tar" || finish 4
    elif [ -f setup.py ]; then
        say "compiling the extension"
        if python3 setup.py -q build_ext --inplace; then
            find . -name '*.so' | tar -cf "$results/extension.new" -T - &&
                mv "$results/extension.new" "$results/extension.tar"
        else
            say "the extension does not compile"
            [ -z "$LAB_STRICT" ] || finish 4
        fi
    fi
fi
cd "$LAB_CHECKOUT" || finish 4

say "ready $(cut -d. -f1 /proc/uptime) s after power-on; devices: $LAB_DEVICES"
if [ -n "$LAB_INTERACTIVE" ]; then
    setsid -w -c sh "$lab/command.sh" <"$channel"
else
    setsid -w sh "$lab/command.sh"
fi
status=$?
[ -z "$missing" ] || [ $status -ne 0 ] || status=3
finish $status
