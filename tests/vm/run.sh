#!/usr/bin/env bash
# Runs a command in the test machine and passes on its output and exit code.
#   tests/vm/run.sh 'build/dev/tests/unit_tests --gtest_filter=...'
# Emulated (qemu's TCG): expect programs to run 10 to 30 times slower.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/vm/prepare.sh
out=$(mktemp -d)
trap 'kill "${tail:-0}" 2> /dev/null || true; rm -rf "$out"' EXIT
printf 'cd %q\n%s\n' "$PWD" "$1" > "$out/command"
touch "$out/log"
tail -f "$out/log" &
tail=$!
timeout --foreground "${VM_TIMEOUT:-1200}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3072 \
  -nographic -no-reboot -nic none -kernel build/vm/vmlinuz -initrd build/vm/initramfs.gz \
  -append 'console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on' \
  -fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap \
  -device virtio-9p-pci,fsdev=host,mount_tag=host \
  -fsdev local,id=extra,path=build/vm/root,security_model=none,readonly=on \
  -device virtio-9p-pci,fsdev=extra,mount_tag=extra \
  -fsdev local,id=out,path="$out",security_model=none \
  -device virtio-9p-pci,fsdev=out,mount_tag=out \
  > "$out/console" 2>&1 < /dev/null || true
sleep 0.2
if [ ! -s "$out/code" ]; then
  echo "the test machine ended without an answer; its console said:" >&2
  tail -n 30 "$out/console" >&2
  exit 1
fi
exit "$(cat "$out/code")"
