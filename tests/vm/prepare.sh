#!/usr/bin/env bash
# Debian's stock kernel, its modules and NFS's programs, unpacked into build/vm: nothing of it is
# installed on this machine. Once fetched, it is used again until the kernel's package changes.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=build/vm

stock_kernel() {
  apt-cache depends linux-image-amd64 2> /dev/null |
    sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -1
}
kernel=$(stock_kernel)
release=${kernel#linux-image-}
if [ -n "$release" ] && [ "$(cat $here/ready 2> /dev/null)" = "$release" ] &&
   cmp -s tests/vm/init $here/initramfs/init; then
  exit 0
fi
apt-get update -qq  # what old lists name may be gone
kernel=$(stock_kernel)
release=${kernel#linux-image-}

echo "fetching $kernel"
rm -rf $here
mkdir -p $here/debs $here/root $here/initramfs/{bin,modules,proc,sys,dev,new}
# What Debian's nfs-kernel-server needs beyond what is installed for the build.
(cd $here/debs && apt-get download -qq -o APT::Sandbox::User=root "$kernel" nfs-kernel-server nfs-common libtirpc3 \
  libtirpc-common libevent-core-2.1-7 libnfsidmap1 libwrap0 keyutils libsqlite3-0 \
  libdevmapper1.02.1 netbase)
for deb in $here/debs/*.deb; do dpkg-deb -x "$deb" $here/root; done
# On a merged /usr a directory /lib would hide the host's symlink.
for dir in lib sbin bin; do
  [ -d $here/root/$dir ] || continue
  mkdir -p $here/root/usr/$dir
  cp -a $here/root/$dir/. $here/root/usr/$dir/
  rm -rf ${here:?}/root/$dir
done
ln -s usr/lib $here/root/lib  # where depmod and modprobe look
depmod -b $here/root "$release"

cp /bin/busybox $here/initramfs/bin/
cp tests/vm/init $here/initramfs/init
# What the root filesystem needs, in the order it has to be loaded.
for module in 9pnet_virtio 9p virtio_pci overlay; do
  modprobe -d "$PWD/$here/root" -S "$release" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | awk '!seen[$0]++' | while read -r file; do
  cp "$file" $here/initramfs/modules/
  basename "$file" >> $here/initramfs/modules/order
done
rm $here/root/lib
(cd $here/initramfs && find . | cpio -o -H newc --quiet | gzip -1) > $here/initramfs.gz
cp $here/root/boot/vmlinuz-* $here/vmlinuz
rm -rf ${here:?}/root/boot ${here:?}/debs
echo "$release" > $here/ready
