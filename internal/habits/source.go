package habits

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// modulePath begins the import path of everything that is ours, in all modules: their paths are their folders'.
const modulePath = "github.com/sallyport/sallyport"

// source is one Go file, whatever its build constraints.
type source struct {
	name      string // from the repository's root, with slashes
	lines     int
	generated bool
	test      bool
	positions *token.FileSet
	tree      *ast.File
}

// pkg is a folder of Go files, tests included. Its path is relative to the root: "" is the root itself.
type pkg struct {
	path  string
	files []source
}

// finding is one broken habit: where, and what to do.
type finding struct{ where, what string }

func (f finding) String() string { return f.where + ": " + f.what }

// read parses every Go file of a repository: of the product, sdk and tests alike.
func read(repository fs.FS) ([]pkg, error) {
	folders := map[string][]source{}
	err := fs.WalkDir(repository, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped(name):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		text, err := fs.ReadFile(repository, name)
		if err != nil {
			return err
		}
		file, err := parse(name, text)
		if err != nil {
			return err
		}
		folders[path.Dir(name)] = append(folders[path.Dir(name)], file)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the sources: %w", err)
	}
	return collect(folders), nil
}

// skipped folders hold no sources of ours.
func skipped(folder string) bool {
	switch path.Base(folder) {
	case ".":
		return false // the root
	case "bin", "dist", "node_modules", "testdata", "vendor":
		return true
	default:
		return strings.HasPrefix(path.Base(folder), ".")
	}
}

func collect(folders map[string][]source) []pkg {
	var all []pkg
	for folder, files := range folders {
		if folder == "." {
			folder = ""
		}
		slices.SortFunc(files, func(a, b source) int { return strings.Compare(a.name, b.name) })
		all = append(all, pkg{path: folder, files: files})
	}
	slices.SortFunc(all, func(a, b pkg) int { return strings.Compare(a.path, b.path) })
	return all
}

func parse(name string, text []byte) (source, error) {
	positions := token.NewFileSet()
	tree, err := parser.ParseFile(positions, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	return source{
		name:      name,
		lines:     strings.Count(string(text), "\n"),
		generated: ast.IsGenerated(tree),
		test:      strings.HasSuffix(name, "_test.go"),
		positions: positions,
		tree:      tree,
	}, nil
}

// imports are the paths that the file imports.
func (s source) imports() []string {
	paths := make([]string, 0, len(s.tree.Imports))
	for _, spec := range s.tree.Imports {
		if imported, err := strconv.Unquote(spec.Path.Value); err == nil { // the parser has seen to it
			paths = append(paths, imported)
		}
	}
	return paths
}

func (s source) at(node ast.Node) string {
	return s.name + ":" + strconv.Itoa(s.positions.Position(node.Pos()).Line)
}

// generated reports whether the package holds nothing written by hand.
func (p pkg) generated() bool {
	return !slices.ContainsFunc(p.files, func(s source) bool { return !s.generated })
}
