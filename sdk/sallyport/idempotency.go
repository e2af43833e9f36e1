package sallyport

import (
	"context"
	"net/http"
)

// IdempotencyKey makes a POST safe to repeat: under the same key it is carried out once, and answered every time as the first time (with the
// header Idempotency-Replayed). It goes behind a call's other arguments. A new request needs a new key, of up to 255 visible ASCII characters.
func IdempotencyKey(key string) RequestEditorFn {
	return func(_ context.Context, request *http.Request) error {
		request.Header.Set("Idempotency-Key", key)
		return nil
	}
}
