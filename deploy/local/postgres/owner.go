package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// rootHome is where root's clusters lie when the server's user can't enter the folder asked for.
const rootHome = "/var/lib/sallyport-local"

// owner is the account that the server runs as and that its files belong to.
type owner struct {
	name     string
	uid, gid uint32
	dropped  bool // we are root and start programs as somebody else
}

// currentOwner is ourselves, or, for root, an account that PostgreSQL accepts. It must be in passwd:
// initdb looks its own user up.
func currentOwner() (owner, error) {
	if os.Geteuid() != 0 {
		return owner{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(account.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(account.Gid, 10, 32)
		if err1 != nil || err2 != nil || uid == 0 {
			continue
		}
		return owner{name: name, uid: uint32(uid), gid: uint32(gid), dropped: true}, nil
	}
	return owner{}, errors.New("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody to run it as: add one (useradd --system postgres), or start this as an ordinary user")
}

// attributes are those of a program run as the owner, outside our process group: Ctrl-C is for us, and
// we stop the server when those who use it are done.
func (o owner) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if o.dropped {
		attributes.Credential = &syscall.Credential{Uid: o.uid, Gid: o.gid}
	}
	return attributes
}

// give hands a file over to the owner.
func (o owner) give(path string) error {
	if !o.dropped {
		return nil
	}
	if err := os.Chown(path, int(o.uid), int(o.gid)); err != nil {
		return fmt.Errorf("hand %s to user %s: %w", path, o.name, err)
	}
	return nil
}

// owns fails unless the path is a folder that belongs to the owner and nobody else can enter: in /tmp
// another user may have been there before us.
func (o owner) owns(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || stat.Uid != o.uid || info.Mode().Perm() != 0o700 {
		return fmt.Errorf("%s isn't ours: remove it", path)
	}
	return nil
}

// makeOpen makes a folder, and those above it that are missing, so that the owner can pass, whatever our umask.
func makeOpen(folder string) error {
	if _, err := os.Stat(folder); err == nil {
		return nil
	}
	if err := makeOpen(filepath.Dir(folder)); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(folder, 0o755)
}

// reaches reports whether the owner may enter the folder and all above it, as far as they exist, by
// their mode bits. It asks only on behalf of a dropped owner: otherwise the kernel's own answer is better.
func (o owner) reaches(folder string) bool {
	if !o.dropped {
		return true
	}
	for {
		info, err := os.Stat(folder)
		if err == nil && !o.enters(info) {
			return false
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return true
		}
		folder = parent
	}
}

func (o owner) enters(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() {
		return false
	}
	mode := info.Mode().Perm()
	switch {
	case stat.Uid == o.uid:
		return mode&0o100 != 0
	case stat.Gid == o.gid:
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}

// home is where the cluster for the wanted folder lies: there, or, when the owner can't enter it, in a
// folder of its own under [rootHome]. A cluster that already exists is never passed over for the other place.
func (o owner) home(wanted string) (string, error) {
	wanted, err := filepath.Abs(wanted)
	if err != nil {
		return "", err
	}
	if !o.dropped {
		return wanted, nil
	}
	sum := sha256.Sum256([]byte(wanted))
	moved := filepath.Join(rootHome, hex.EncodeToString(sum[:8]))
	switch {
	case hasCluster(moved):
		return moved, nil
	case o.reaches(filepath.Dir(wanted)):
		return wanted, nil
	case hasCluster(wanted):
		return "", fmt.Errorf("there is a cluster in %s, which user %s can't enter any more: let it (chmod o+x on the folders above), or remove it", wanted, o.name)
	default:
		return moved, nil
	}
}
