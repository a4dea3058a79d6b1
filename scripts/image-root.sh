#!/usr/bin/env bash
# Lays out the image's files: the binary, stripped, the libraries it is linked to with their licences,
# and the record by which scanners know these. All are dated SOURCE_DATE_EPOCH.
#   scripts/image-root.sh BINARY DIRECTORY
set -euo pipefail
binary=$1
root=$2

install -d "$root"/{etc,host/root,proc,sys,dev,usr/bin,usr/lib,var/lib/volumeter,var/lib/dpkg/status.d}
install -s -m 0755 "$binary" "$root/usr/bin/volumeter"
for directory in lib lib64; do
  install -d "$root/usr/$directory"
  ln -s "usr/$directory" "$root/$directory"
done
echo 'root:x:0:0:root:/:/usr/bin/volumeter' > "$root/etc/passwd"
echo 'root:x:0:' > "$root/etc/group"
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"

# Debian 12's /lib is a link to usr/lib; dpkg may know a file by either name.
owner_of() { dpkg -S "$1" 2> /dev/null || dpkg -S "${1#/usr}" || dpkg -S "/usr$1"; }
mapfile -t libraries < <(ldd "$binary" | grep -oE '/[^ ]+')
for library in "${libraries[@]}"; do
  target=$root$library
  case $library in /lib*) target=$root/usr$library ;; esac
  install -d "$(dirname "$target")"
  install -m 0755 "$(readlink -f "$library")" "$target"
  package=$(owner_of "$library" 2> /dev/null | cut -d: -f1 | head -n 1)
  name=${package:?no package has $library}
  dpkg -s "$name" > "$root/var/lib/dpkg/status.d/$name"
  install -D -m 0644 "/usr/share/doc/$name/copyright" "$root/usr/share/doc/$name/copyright"
done
install -D -m 0644 "$(dirname "$0")/../LICENSE" "$root/usr/share/doc/volumeter/copyright"
find "$root" -depth -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
