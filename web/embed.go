package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Console returns the built console; false: it was not built when this program was.
func Console() (fs.FS, bool) {
	const index = "dist/console/index.html"
	if _, err := fs.Stat(dist, index); err != nil {
		return nil, false
	}
	built, err := fs.Sub(dist, "dist/console")
	return built, err == nil
}
