package console

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
)

const (
	// noncePlace stands in the built page where the nonce of an answer goes.
	noncePlace = "__SALLYPORT_NONCE__"
	assets     = "/assets/"
	apiPrefix  = "/api/v1/"
)

// NotBuilt is shown in the console's place when the program was built without it.
const NotBuilt = "The console isn't built into this program: run make web, then make build.\n"

// Config is what a Server needs.
type Config struct {
	// Files are the built console; nil: it isn't built.
	Files fs.FS
	// API is the admin API.
	API http.Handler
}

// Server serves the console. It is an http.Handler for a server that sets its own timeouts.
type Server struct {
	api   http.Handler
	index []byte           // with noncePlace in it; nil: not built
	files map[string]*file // by path
}

// New reads the built console into memory, and compresses it once.
func New(config Config) (*Server, error) {
	s := &Server{api: http.NewCrossOriginProtection().Handler(config.API), files: make(map[string]*file)}
	if config.Files == nil {
		return s, nil
	}
	var err error
	if s.index, err = fs.ReadFile(config.Files, "index.html"); err != nil {
		return nil, fmt.Errorf("read the console's page: %w", err)
	}
	if !bytes.Contains(s.index, []byte(noncePlace)) {
		return nil, errors.New("the console's page has no place for a nonce")
	}
	err = fs.WalkDir(config.Files, strings.Trim(assets, "/"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		s.files["/"+path], err = readFile(config.Files, path)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the console's files: %w", err)
	}
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, apiPrefix) {
		s.api.ServeHTTP(w, r) // sets headers of its own
		return
	}
	setHeaders(w.Header(), r.TLS != nil)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "The console is only read.", http.StatusMethodNotAllowed)
		return
	}
	built, found := s.files[r.URL.Path]
	switch {
	case found:
		built.serve(w, r)
	case strings.HasPrefix(r.URL.Path, assets) || !isNavigation(r):
		http.Error(w, "There is no such file.", http.StatusNotFound)
	case s.index == nil:
		http.Error(w, NotBuilt, http.StatusServiceUnavailable)
	default:
		s.serveIndex(w, r)
	}
}

// isNavigation tells whether somebody opens a page, rather than a page or script loading something: an answer in HTML would only
// confuse that.
func isNavigation(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

func (s *Server) serveIndex(w http.ResponseWriter, r *http.Request) {
	nonce := rand.Text()
	page := bytes.ReplaceAll(s.index, []byte(noncePlace), []byte(nonce))
	h := w.Header()
	h.Set("Content-Security-Policy", policyWith(nonce))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(page) // who went away reads no error
	}
}
