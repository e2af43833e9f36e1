package policy

import (
	"fmt"
	"strings"
)

// named is how many of a list's entries a sentence names at the most.
const named = 8

// List joins texts as a sentence has them, each said by a function (strconv.Quote, Bare); of many it names the first and says how many more
// there are.
func List(texts []string, word string, say func(string) string) string {
	said := make([]string, 0, named+1)
	for i, text := range texts {
		if i == named {
			said = append(said, fmt.Sprintf("%d more", len(texts)-named))
			break
		}
		said = append(said, say(text))
	}
	last := len(said) - 1
	if last < 1 {
		return strings.Join(said, "")
	}
	return strings.Join(said[:last], ", ") + " " + word + " " + said[last]
}

// Bare says a text as it is.
func Bare(text string) string { return text }
