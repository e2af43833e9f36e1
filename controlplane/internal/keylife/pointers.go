package keylife

import (
	"errors"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/proto/problem"
)

// pointed makes violations point at the import's items, where they speak of the operations that were made of them.
func (im *importing) pointed(err error) error {
	var refused *problem.Error
	if !errors.As(err, &refused) {
		return err
	}
	for i, v := range refused.Errors {
		rest, operation := strings.CutPrefix(v.Pointer, "/operations/")
		number, rest, _ := strings.Cut(rest, "/")
		n, failed := strconv.Atoi(number)
		if !operation || failed != nil || n >= len(im.places) || im.places[n] < 0 {
			continue
		}
		rest = strings.TrimPrefix(strings.TrimPrefix("/"+rest, "/body"), "/")
		pointer := problem.Pointer("items", im.places[n])
		if rest != "" {
			pointer += "/" + rest
		}
		refused.Errors[i].Pointer = pointer
	}
	return err
}
