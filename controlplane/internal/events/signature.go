package events

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Fields of a post, by the Standard Webhooks specification (1.0.0): what a receiver needs to know that it is genuine, fresh, and new.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

const (
	secretPrefix = "whsec_"
	secretSize   = 32 // bytes
)

// newSecret returns the material of a secret, and its text.
func newSecret() (material []byte, text string) {
	material = make([]byte, secretSize)
	rand.Read(material) // never fails
	return material, secretPrefix + base64.StdEncoding.EncodeToString(material)
}

// signatures are those of a post by each secret, the newest first: HMAC-SHA-256 over "id.timestamp.body".
func signatures(secrets [][]byte, id string, at time.Time, body []byte) string {
	signed := make([]string, len(secrets))
	for i, secret := range secrets {
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		h.Write(body)
		signed[i] = "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	return strings.Join(signed, " ")
}
