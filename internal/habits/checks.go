package habits

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

const (
	mostLines   = 800 // of a file written by hand
	mostMethods = 10  // of an interface in the control plane
)

// undocumented finds packages without a doc comment. Generated ones needn't have one; a package of tests
// alone may have it in a test file.
func undocumented(packages []pkg) []finding {
	var broken []finding
	for _, p := range packages {
		if p.generated() {
			continue
		}
		testsOnly := !slices.ContainsFunc(p.files, func(s source) bool { return !s.test })
		documented := slices.ContainsFunc(p.files, func(s source) bool {
			return (!s.test || testsOnly) && s.tree.Doc != nil && strings.TrimSpace(s.tree.Doc.Text()) != ""
		})
		if !documented {
			broken = append(broken, finding{p.path, "has no doc comment: say in doc.go what it owns, what it doesn't, and which way data flows"})
		}
	}
	return broken
}

func tooLong(packages []pkg) []finding {
	return eachFile(packages, func(s source) []finding {
		if s.generated || s.lines <= mostLines {
			return nil
		}
		return []finding{{s.name, fmt.Sprintf("has %d lines; part it by what its parts are about (at most %d)", s.lines, mostLines)}}
	})
}

var emptyNames = []string{
	"base", "common", "helper", "helpers", "misc", "model", "models", "shared", "type", "types", "util", "utils",
}

func emptilyNamed(packages []pkg) []finding {
	return eachFile(packages, func(s source) []finding {
		name := strings.TrimSuffix(s.tree.Name.Name, "_test")
		if s.generated || !slices.Contains(emptyNames, name) {
			return nil
		}
		return []finding{{s.name, "package " + name + ": name it after what it is about"}}
	})
}

// initFunctions finds init: what a package needs is passed to it.
func initFunctions(packages []pkg) []finding {
	return eachFile(packages, func(s source) []finding {
		if s.generated {
			return nil
		}
		var broken []finding
		for _, declaration := range s.tree.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				broken = append(broken, finding{s.at(f), "no init(): nothing happens at import; list or construct it where it is used"})
			}
		}
		return broken
	})
}

// sleepingTests finds time.Sleep in tests, save inside a testing/synctest bubble, where it costs no time.
func sleepingTests(packages []pkg) []finding {
	return eachFile(packages, func(s source) []finding {
		if !s.test {
			return nil
		}
		var broken []finding
		ast.Inspect(s.tree, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				return true
			}
			if calls(s, call, "testing/synctest", "Test") {
				return false
			}
			if calls(s, call, "time", "Sleep") {
				broken = append(broken, finding{s.at(call), "no time.Sleep in tests: wait on the condition or a channel, or use testing/synctest"})
			}
			return true
		})
		return broken
	})
}

// calls reports whether the call is of a package's function, by whatever name the file imports the package.
func calls(s source, call *ast.CallExpr, imported, function string) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != function {
		return false
	}
	qualifier, ok := selector.X.(*ast.Ident)
	return ok && qualifier.Name == s.localName(imported)
}

// localName is the name under which the file imports a package; empty when it doesn't.
func (s source) localName(imported string) string {
	for _, spec := range s.tree.Imports {
		if spec.Path.Value != `"`+imported+`"` {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return imported[strings.LastIndex(imported, "/")+1:]
	}
	return ""
}

// wideInterfaces finds interfaces of the control plane, stores above all, that nobody could implement twice.
func wideInterfaces(packages []pkg) []finding {
	return eachFile(packages, func(s source) []finding {
		if s.generated || !matches(s.name, []string{"controlplane"}) {
			return nil
		}
		var broken []finding
		ast.Inspect(s.tree, func(node ast.Node) bool {
			spec, ok := node.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if wide, ok := spec.Type.(*ast.InterfaceType); ok && methods(wide) > mostMethods {
				broken = append(broken, finding{s.at(spec), fmt.Sprintf("interface %s has %d methods; at most %d", spec.Name.Name, methods(wide), mostMethods)})
			}
			return true
		})
		return broken
	})
}

// methods counts those written out; embedded interfaces count where they are declared.
func methods(declared *ast.InterfaceType) int {
	count := 0
	for _, field := range declared.Methods.List {
		count += len(field.Names)
	}
	return count
}

func eachFile(packages []pkg, check func(source) []finding) []finding {
	var broken []finding
	for _, p := range packages {
		for _, file := range p.files {
			broken = append(broken, check(file)...)
		}
	}
	return broken
}
