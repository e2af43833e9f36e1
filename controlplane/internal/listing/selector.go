package listing

import (
	"errors"
	"fmt"
	"strings"
)

// maxTerms bounds a selector.
const maxTerms = 32

// Selector selects objects by their labels; all terms must hold. The zero Selector selects all.
type Selector struct {
	Equal   []Label  // name=value
	Unequal []Label  // name!=value, which also holds where there is no such label
	Present []string // name
	Absent  []string // !name
}

// Label is a name and a value.
type Label struct{ Name, Value string }

// ParseSelector reads a selector: terms name=value, name!=value, name and !name joined by commas.
// Space around a term doesn't count.
func ParseSelector(text string) (Selector, error) {
	var s Selector
	if strings.TrimSpace(text) == "" {
		return s, nil
	}
	terms := strings.Split(text, ",")
	if len(terms) > maxTerms {
		return Selector{}, fmt.Errorf("it has %d terms, at most %d are read", len(terms), maxTerms)
	}
	for _, term := range terms {
		if err := s.add(strings.TrimSpace(term)); err != nil {
			return Selector{}, err
		}
	}
	return s, nil
}

func (s *Selector) add(term string) error {
	if name, value, ok := strings.Cut(term, "!="); ok {
		s.Unequal = append(s.Unequal, Label{name, value})
		return checkName(name)
	}
	if name, value, ok := strings.Cut(term, "="); ok {
		s.Equal = append(s.Equal, Label{name, value})
		return checkName(name)
	}
	if name, ok := strings.CutPrefix(term, "!"); ok {
		s.Absent = append(s.Absent, name)
		return checkName(name)
	}
	s.Present = append(s.Present, term)
	return checkName(term)
}

func checkName(name string) error {
	if name == "" {
		return errors.New("a term has no name")
	}
	if strings.ContainsAny(name, "!= ") {
		return fmt.Errorf("%q is no label's name", shorten(name))
	}
	return nil
}

// Matches tells whether all terms hold for these labels.
func (s Selector) Matches(labels map[string]string) bool {
	for _, want := range s.Equal {
		if value, ok := labels[want.Name]; !ok || value != want.Value {
			return false
		}
	}
	for _, not := range s.Unequal {
		if value, ok := labels[not.Name]; ok && value == not.Value {
			return false
		}
	}
	for _, name := range s.Present {
		if _, ok := labels[name]; !ok {
			return false
		}
	}
	for _, name := range s.Absent {
		if _, ok := labels[name]; ok {
			return false
		}
	}
	return true
}
