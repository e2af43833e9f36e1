package content

import "bytes"

// mark is what a format's files begin with, from the at-th byte on.
type mark struct {
	at    int
	bytes string
}

var (
	zip    = []mark{{0, "PK\x03\x04"}, {0, "PK\x05\x06"}}
	iso    = []mark{{4, "ftyp"}} // ISO/IEC 14496-12
	ogg    = []mark{{0, "OggS"}}
	matros = []mark{{0, "\x1a\x45\xdf\xa3"}}
)

// marks are those of the formats that begin with one, by media type: any of them will do.
var marks = map[string][]mark{
	"application/gzip":             {{0, "\x1f\x8b\x08"}},
	"application/pdf":              {{0, "%PDF-"}},
	"application/wasm":             {{0, "\x00asm"}},
	"application/x-7z-compressed":  {{0, "7z\xbc\xaf\x27\x1c"}},
	"application/x-gzip":           {{0, "\x1f\x8b\x08"}},
	"application/zip":              zip,
	"application/x-zip-compressed": zip,
	"application/zstd":             {{0, "\x28\xb5\x2f\xfd"}},
	"audio/flac":                   {{0, "fLaC"}},
	"audio/mp4":                    iso,
	"audio/mpeg":                   {{0, "ID3"}, {0, "\xff\xfb"}, {0, "\xff\xf3"}, {0, "\xff\xf2"}},
	"audio/ogg":                    ogg,
	"audio/wav":                    {{8, "WAVE"}},
	"audio/webm":                   matros,
	"font/otf":                     {{0, "OTTO"}},
	"font/woff":                    {{0, "wOFF"}},
	"font/woff2":                   {{0, "wOF2"}},
	"image/avif":                   iso,
	"image/bmp":                    {{0, "BM"}},
	"image/gif":                    {{0, "GIF87a"}, {0, "GIF89a"}},
	"image/heic":                   iso,
	"image/jpeg":                   {{0, "\xff\xd8\xff"}},
	"image/png":                    {{0, "\x89PNG\r\n\x1a\n"}},
	"image/tiff":                   {{0, "II*\x00"}, {0, "MM\x00*"}},
	"image/vnd.microsoft.icon":     {{0, "\x00\x00\x01\x00"}},
	"image/webp":                   {{8, "WEBP"}},
	"video/mp4":                    iso,
	"video/ogg":                    ogg,
	"video/webm":                   matros,

	"application/epub+zip":                                                      zip,
	"application/vnd.oasis.opendocument.spreadsheet":                            zip,
	"application/vnd.oasis.opendocument.text":                                   zip,
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": zip,
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         zip,
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   zip,
}

// begins tells whether content begins with one of the marks.
func begins(content []byte, with []mark) bool {
	for _, m := range with {
		if len(content) >= m.at && bytes.HasPrefix(content[m.at:], []byte(m.bytes)) {
			return true
		}
	}
	return false
}
