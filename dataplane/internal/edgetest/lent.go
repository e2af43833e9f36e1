package edgetest

import (
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// Lent is the memory of requests' heads as a listener lends it: once an exchange is finished it is another request's. The zero
// value is ready.
type Lent struct{ memory [][]byte }

// Text returns a string in lent memory.
func (l *Lent) Text(s string) string {
	if s == "" {
		return ""
	}
	memory := []byte(s)
	l.memory = append(l.memory, memory)
	return unsafe.String(&memory[0], len(memory)) //nolint:gosec // which is the point
}

// Fill makes a request of another one whose texts are all lent.
func (l *Lent) Fill(to, from *pipeline.Request) {
	fields := from.Header.Fields()
	header := to.Header
	*to = *from
	to.Header = header
	for _, text := range [...]*string{&to.Method, &to.Authority, &to.Host, &to.RawPath, &to.Path, &to.Query, &to.Upgrade, &to.ForwardPath} {
		*text = l.Text(*text)
	}
	for _, f := range fields {
		to.Header.Add(l.Text(f.Name), l.Text(f.Value))
	}
}

// Overwrite gives the memory to somebody else.
func (l *Lent) Overwrite() {
	for _, memory := range l.memory {
		for i := range memory {
			memory[i] = 0xdb
		}
	}
}

// Held says where strings and bytes of the memory can still be reached from. It sees what Go's reflection does: structs, pointers,
// atomic ones too, interfaces, lists and maps; not what waits in a channel, nor what a function holds.
func (l *Lent) Held(roots ...any) []string {
	w := walk{lent: l, seen: map[visit]bool{}}
	for _, root := range roots {
		w.value(reflect.ValueOf(root), fmt.Sprintf("%T", root))
	}
	return w.held
}

func (l *Lent) holds(at unsafe.Pointer) bool {
	for _, memory := range l.memory {
		start := uintptr(unsafe.Pointer(&memory[0])) //nolint:gosec // addresses are compared, not used
		if uintptr(at) >= start && uintptr(at) < start+uintptr(len(memory)) {
			return true
		}
	}
	return false
}

type visit struct {
	at  unsafe.Pointer
	typ reflect.Type
}

type walk struct {
	lent *Lent
	seen map[visit]bool
	held []string
}

func (w *walk) value(v reflect.Value, path string) {
	switch v.Kind() { //nolint:exhaustive // the others hold nothing
	case reflect.String:
		if v.Len() > 0 {
			w.note(unsafe.Pointer(unsafe.StringData(v.String())), path) //nolint:gosec // compared only
		}
	case reflect.Pointer:
		if !v.IsNil() {
			w.pointer(v.Elem(), v.UnsafePointer(), path)
		}
	case reflect.Interface:
		if !v.IsNil() {
			w.value(v.Elem(), path)
		}
	case reflect.Slice:
		if v.Len() > 0 {
			w.note(v.UnsafePointer(), path)
		}
		w.list(v, path)
	case reflect.Array:
		w.list(v, path)
	case reflect.Map:
		for at := v.MapRange(); at.Next(); {
			w.value(at.Key(), path+"[key]")
			w.value(at.Value(), path+"[value]")
		}
	case reflect.Struct:
		w.fields(v, path)
	}
}

func (w *walk) list(v reflect.Value, path string) {
	if v.Type().Elem().Kind() < reflect.Array { // numbers
		return
	}
	for i := range v.Len() {
		w.value(v.Index(i), path+"[]")
	}
}

func (w *walk) fields(v reflect.Value, path string) {
	if name := v.Type().String(); strings.HasPrefix(name, "atomic.Pointer[") {
		if at := v.FieldByName("v").UnsafePointer(); at != nil {
			of := v.Field(0).Type().Elem() // [0]*T, which is there for the compiler
			w.pointer(reflect.NewAt(of.Elem(), at).Elem(), at, path)
		}
		return
	}
	for i := range v.NumField() {
		w.value(v.Field(i), path+"."+v.Type().Field(i).Name)
	}
}

func (w *walk) pointer(to reflect.Value, at unsafe.Pointer, path string) {
	if v := (visit{at, to.Type()}); !w.seen[v] {
		w.seen[v] = true
		w.value(to, path)
	}
}

func (w *walk) note(at unsafe.Pointer, path string) {
	if w.lent.holds(at) {
		w.held = append(w.held, path)
	}
}
