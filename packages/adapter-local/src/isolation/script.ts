/**
 * What the first process of the namespaces runs, with sh of the host. All mounts are made in its own mount namespace, so that nothing is
 * left mounted whatever kills it. It stays root and the parent of the command: a change of user would clear the signal that ends it with
 * its parent. Arguments: work directory, overlay options, network; then what, where and how for each mount (`source target ro|rw`,
 * `options target tmpfs`, `mode user:group target secret`); `--`; the program that enters the image. Secrets come in file 3, a line for each.
 * Targets come resolved and relative, so that no symlink of the image leads out. Devices are usable in /dev only, kernel settings are
 * read-only, and what is left of root's rights is what Docker leaves: a step is kept from the host as long as it has no fault to use.
 */
export const script = `set -eu
work=$1 options=$2 network=$3
shift 3
capabilities=+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap
capabilities=$capabilities,+net_bind_service,+net_raw,+sys_chroot,+mknod,+audit_write,+setfcap
cd "$work"
mount -t overlay -o "nodev,$options" overlay merged
cd merged
mount -t proc -o nosuid,nodev,noexec proc proc
for name in sys bus irq fs sysrq-trigger; do
  [ -e "proc/$name" ] || continue
  mount --bind "proc/$name" "proc/$name"
  mount -o remount,bind,ro,nosuid,nodev,noexec "proc/$name"
done
for name in kcore keys timer_list; do
  [ ! -e "proc/$name" ] || mount --bind /dev/null "proc/$name"
done
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t tmpfs -o nosuid,nodev,mode=755,size=64m tmpfs dev
mkdir dev/pts dev/shm dev/mqueue
mount -t devpts -o nosuid,noexec,newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
mount -t tmpfs -o nosuid,nodev,noexec,mode=1777,size=64m shm dev/shm
for name in null zero full random urandom tty; do
  : > "dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
secrets=0
while [ "$1" != -- ]; do
  case $3 in
    tmpfs) mount -t tmpfs -o "nosuid,nodev,$1" tmpfs "./$2" ;;
    secret)
      [ $secrets -gt 0 ] || mount -t tmpfs -o nosuid,nodev,noexec,mode=700 secrets "$work/secrets"
      secrets=$((secrets + 1))
      IFS= read -r line <&3
      printf %s "$line" | base64 -d > "$work/secrets/$secrets"
      line=
      chown "\${1#* }" "$work/secrets/$secrets"
      chmod "\${1% *}" "$work/secrets/$secrets"
      mount --bind "$work/secrets/$secrets" "./$2"
      mount -o remount,bind,ro,nosuid,nodev,noexec "./$2"
      ;;
    *)
      mount --bind "$1" "./$2"
      mount -o "remount,bind,$3,nosuid,nodev" "./$2"
      ;;
  esac
  shift 3
done
shift
exec 3<&-
# Without the program the loopback stays down, which is less than a step was promised and never more.
if [ "$network" = none ] && command -v ip > /dev/null; then ip link set lo up; fi
echo kiwi > /proc/sys/kernel/hostname
: > "$work/started"
mount --move . /
umask 022
set +e
setpriv --inh-caps=-all --bounding-set=-all,$capabilities -- "$@"
exit $?
`
