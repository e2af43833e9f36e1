package http1_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/http1"
)

const host = "Host: a.example\r\n"

func TestARequestThatCouldBeReadInTwoWaysIsRefused(t *testing.T) {
	t.Parallel()
	get := "GET / HTTP/1.1\r\n"
	post := "POST / HTTP/1.1\r\n" + host
	for name, refused := range map[string]struct {
		wire string
		want *http1.Error
	}{
		// The request line.
		"two empty lines before":         {"\r\n\r\nGET / HTTP/1.1\r\n" + host + "\r\n", http1.ErrStartLine},
		"HTTP/0.9":                       {"GET /\r\n\r\n", http1.ErrStartLine},
		"method alone":                   {"GET\r\n\r\n", http1.ErrStartLine},
		"no method":                      {" / HTTP/1.1\r\n" + host + "\r\n", http1.ErrMethod},
		"method no token":                {"G(T / HTTP/1.1\r\n" + host + "\r\n", http1.ErrMethod},
		"tab behind the method":          {"GET\t/ HTTP/1.1\r\n" + host + "\r\n", http1.ErrMethod},
		"two spaces before the target":   {"GET  / HTTP/1.1\r\n" + host + "\r\n", http1.ErrTarget},
		"tab behind the target":          {"GET /\tHTTP/1.1\r\n" + host + "\r\n", http1.ErrTarget},
		"two spaces behind the target":   {"GET /  HTTP/1.1\r\n" + host + "\r\n", http1.ErrStartLine},
		"space in the target":            {"GET /a b HTTP/1.1\r\n" + host + "\r\n", http1.ErrStartLine},
		"space behind the version":       {"GET / HTTP/1.1 \r\n" + host + "\r\n", http1.ErrStartLine},
		"control byte in the target":     {"GET /\x01 HTTP/1.1\r\n" + host + "\r\n", http1.ErrTarget},
		"NUL in the target":              {"GET /\x00 HTTP/1.1\r\n" + host + "\r\n", http1.ErrTarget},
		"DEL in the target":              {"GET /\x7f HTTP/1.1\r\n" + host + "\r\n", http1.ErrTarget},
		"high byte in the target":        {"GET /\xe4 HTTP/1.1\r\n" + host + "\r\n", http1.ErrTarget},
		"fragment":                       {"GET /a#b HTTP/1.1\r\n" + host + "\r\n", http1.ErrTarget},
		"CR in the request line":         {"GET / HTTP/1.1\r\r\n" + host + "\r\n", http1.ErrStartLine},
		"version in lower case":          {"GET / http/1.1\r\n" + host + "\r\n", http1.ErrStartLine},
		"no version at all":              {"GET / FTP/1.1\r\n" + host + "\r\n", http1.ErrStartLine},
		"version with two digits":        {"GET / HTTP/1.10\r\n" + host + "\r\n", http1.ErrStartLine},
		"version with a zero before":     {"GET / HTTP/01.1\r\n" + host + "\r\n", http1.ErrStartLine},
		"HTTP/1.2":                       {"GET / HTTP/1.2\r\n" + host + "\r\n", http1.ErrVersion},
		"HTTP/0.9 said":                  {"GET / HTTP/0.9\r\n" + host + "\r\n", http1.ErrVersion},
		"the preface of HTTP/2":          {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", http1.ErrVersion},
		"HTTP/3":                         {"GET / HTTP/3.0\r\n" + host + "\r\n", http1.ErrVersion},
		"minor below 0":                  {"GET / HTTP/1./\r\n" + host + "\r\n", http1.ErrStartLine},
		"a start line that is too long":  {"GET /" + strings.Repeat("a", 1000) + " HTTP/1.1\r\n" + host + "\r\n", http1.ErrTargetLong},
		"a target without an end":        {"GET /" + strings.Repeat("a", 9000), http1.ErrTargetLong},
		"a target that is neither":       {"GET a HTTP/1.1\r\n" + host + "\r\n", http1.ErrTarget},
		"an authority alone":             {"GET a.example:80 HTTP/1.1\r\n" + host + "\r\n", http1.ErrTarget},
		"another scheme":                 {"GET ftp://a.example/ HTTP/1.1\r\n" + host + "\r\n", http1.ErrTarget},
		"absolute without a host":        {"GET http:///x HTTP/1.1\r\n" + host + "\r\n", http1.ErrTarget},
		"absolute with a user":           {"GET http://u@a.example/ HTTP/1.1\r\n" + host + "\r\n", http1.ErrTarget},
		"absolute to elsewhere":          {"GET http://b.example/ HTTP/1.1\r\n" + host + "\r\n", http1.ErrHostDisagrees},
		"absolute to another port":       {"GET http://a.example:81/ HTTP/1.1\r\n" + host + "\r\n", http1.ErrHostDisagrees},
		"absolute without Host in 1.1":   {"GET http://a.example/ HTTP/1.1\r\n\r\n", http1.ErrHost},
		"absolute with an empty label":   {"GET http://a..example/ HTTP/1.1\r\nHost: a..example\r\n\r\n", http1.ErrHost},
		"absolute, in 1.0, with a query": {"GET http://?x HTTP/1.0\r\n\r\n", http1.ErrTarget},

		// Lines and fields.
		"LF alone ends the request line":   {"GET / HTTP/1.1\nHost: a\r\n\r\n", http1.ErrBareLF},
		"LF alone ends a field":            {get + "Host: a\nX: y\r\n\r\n", http1.ErrBareLF},
		"LF alone ends the head":           {get + host + "\nX: y\r\n\r\n", http1.ErrBareLF},
		"LF alone everywhere":              {"GET / HTTP/1.1\nHost: a\n\n", http1.ErrBareLF},
		"CR alone ends a field":            {get + "Host: a\rX: y\r\n\r\n", http1.ErrBareCR},
		"CR in a value":                    {get + host + "X: a\r b\r\n\r\n", http1.ErrBareCR},
		"CR at the end of a value":         {get + host + "X: a\r\r\n\r\n", http1.ErrBareCR},
		"CR alone as the empty line":       {get + host + "\rX: y\r\n\r\n", http1.ErrFieldName},
		"NUL in a value":                   {get + host + "X: a\x00b\r\n\r\n", http1.ErrFieldValue},
		"control byte in a value":          {get + host + "X: a\x0bb\r\n\r\n", http1.ErrFieldValue},
		"DEL in a value":                   {get + host + "X: a\x7fb\r\n\r\n", http1.ErrFieldValue},
		"a folded field":                   {get + host + "X: a\r\n b\r\n\r\n", http1.ErrFold},
		"a field folded with a tab":        {get + host + "X: a\r\n\tb\r\n\r\n", http1.ErrFold},
		"space before the first field":     {get + " " + host + "\r\n", http1.ErrFold},
		"space before the colon":           {get + host + "X : a\r\n\r\n", http1.ErrFieldName},
		"tab before the colon":             {get + host + "X\t: a\r\n\r\n", http1.ErrFieldName},
		"no colon":                         {get + host + "X\r\n\r\n", http1.ErrFieldName},
		"no name":                          {get + host + ": a\r\n\r\n", http1.ErrFieldName},
		"high byte in a name":              {get + host + "X\xe4: a\r\n\r\n", http1.ErrFieldName},
		"NUL in a name":                    {get + host + "X\x00: a\r\n\r\n", http1.ErrFieldName},
		"quotes around a name":             {get + host + "\"X\": a\r\n\r\n", http1.ErrFieldName},
		"more fields than may be":          {get + host + strings.Repeat("X: y\r\n", 20) + "\r\n", http1.ErrFieldsMany},
		"a head that is too large":         {get + host + "X: " + strings.Repeat("y", 4000) + "\r\n\r\n", http1.ErrHeadLarge},
		"a head without an end":            {get + host + "X: " + strings.Repeat("y", 40000), http1.ErrHeadLarge},
		"fields without an end":            {get + host + strings.Repeat("X: y\r\n", 40000), http1.ErrHeadLarge},
		"bare LF in a head without an end": {get + host + "X: y\n", http1.ErrBareLF},

		// Host.
		"no Host":                     {get + "\r\n", http1.ErrHost},
		"empty Host":                  {get + "Host:\r\n\r\n", http1.ErrHost},
		"two Hosts":                   {get + host + "Host: b\r\n\r\n", http1.ErrHost},
		"the same Host twice":         {get + host + "hOST: a.example\r\n\r\n", http1.ErrHost},
		"two Hosts in 1.0":            {"GET / HTTP/1.0\r\n" + host + "Host: b\r\n\r\n", http1.ErrHost},
		"Host with a path":            {get + "Host: a/b\r\n\r\n", http1.ErrHost},
		"Host with a list":            {get + "Host: a, b\r\n\r\n", http1.ErrHost},
		"Host with a user":            {get + "Host: u@a\r\n\r\n", http1.ErrHost},
		"Host with a port of letters": {get + "Host: a:x\r\n\r\n", http1.ErrHost},
		"Host with two ports":         {get + "Host: a:1:2\r\n\r\n", http1.ErrHost},

		// Framing.
		"both framings":                {post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", http1.ErrLengthAndCoding},
		"both, the other way":          {post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", http1.ErrLengthAndCoding},
		"both, of no length":           {post + "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", http1.ErrLengthAndCoding},
		"two lengths":                  {post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", http1.ErrLength},
		"the same length twice":        {post + "Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello", http1.ErrLength},
		"a list of lengths":            {post + "Content-Length: 5, 5\r\n\r\nhello", http1.ErrLength},
		"a length of no digits":        {post + "Content-Length:\r\n\r\n", http1.ErrLength},
		"a length with a plus":         {post + "Content-Length: +5\r\n\r\nhello", http1.ErrLength},
		"a length below nothing":       {post + "Content-Length: -5\r\n\r\nhello", http1.ErrLength},
		"a length in hex":              {post + "Content-Length: 0x5\r\n\r\nhello", http1.ErrLength},
		"a length with an underscore":  {post + "Content-Length: 1_0\r\n\r\nhello", http1.ErrLength},
		"a length with a space":        {post + "Content-Length: 1 0\r\n\r\nhello", http1.ErrLength},
		"a length with a point":        {post + "Content-Length: 5.0\r\n\r\nhello", http1.ErrLength},
		"a length in quotes":           {post + "Content-Length: \"5\"\r\n\r\nhello", http1.ErrLength},
		"a length in other digits":     {post + "Content-Length: \xd9\xa5\r\n\r\nhello", http1.ErrLength},
		"a length that overflows":      {post + "Content-Length: 18446744073709551621\r\n\r\nhello", http1.ErrLength},
		"a length past int64":          {post + "Content-Length: 9223372036854775808\r\n\r\nhello", http1.ErrLength},
		"chunked twice":                {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", http1.ErrCoding},
		"chunked, and then another":    {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", http1.ErrCoding},
		"chunked twice in a list":      {post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", http1.ErrCoding},
		"chunked not last":             {post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", http1.ErrCoding},
		"something that ends so":       {post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", http1.ErrCoding},
		"chunked with a parameter":     {post + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", http1.ErrCoding},
		"chunked in quotes":            {post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", http1.ErrCoding},
		"chunked behind a tab inside":  {post + "Transfer-Encoding: x\tchunked\r\n\r\n0\r\n\r\n", http1.ErrCoding},
		"identity":                     {post + "Transfer-Encoding: identity\r\n\r\n", http1.ErrCoding},
		"no coding":                    {post + "Transfer-Encoding:\r\n\r\n", http1.ErrCoding},
		"compressed and chunked":       {post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", http1.ErrCodingUnknown},
		"nothing and chunked":          {post + "Transfer-Encoding: , chunked\r\n\r\n0\r\n\r\n", http1.ErrCodingUnknown},
		"chunked and nothing":          {post + "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", http1.ErrCodingUnknown},
		"chunked in 1.0":               {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", http1.ErrCoding},
		"an underscore twin of coding": {post + "Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n", http1.ErrFramingTwin},
		"a point twin of coding":       {post + "TRANSFER.encoding: chunked\r\n\r\n0\r\n\r\n", http1.ErrFramingTwin},
		"an underscore twin of length": {post + "Content_Length: 5\r\n\r\nhello", http1.ErrFramingTwin},
		"a tilde twin of length":       {post + "content~length: 5\r\n\r\nhello", http1.ErrFramingTwin},

		// Expect and Upgrade.
		"another expectation":       {post + "Expect: tea\r\n\r\n", http1.ErrExpect},
		"two expectations":          {post + "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", http1.ErrExpect},
		"a list of expectations":    {post + "Expect: 100-continue, 100-continue\r\n\r\n", http1.ErrExpect},
		"Upgrade to h2c":            {get + host + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", http1.ErrUpgradeH2C},
		"Upgrade to h2c unnamed":    {get + host + "Upgrade: H2C\r\n\r\n", http1.ErrUpgradeH2C},
		"Upgrade to h2c in a list":  {get + host + "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n", http1.ErrUpgradeH2C},
		"Upgrade twice":             {get + host + "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n", http1.ErrUpgrade},
		"Upgrade twice to the same": {get + host + "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n\r\n", http1.ErrUpgrade},

		// Bodies.
		"a size of nothing":                    {chunked("\r\n\r\n"), http1.ErrChunkSize},
		"a size with 0x":                       {chunked("0x5\r\nhello\r\n0\r\n\r\n"), http1.ErrChunkSize},
		"a size with a plus":                   {chunked("+5\r\nhello\r\n0\r\n\r\n"), http1.ErrChunkSize},
		"a size below nothing":                 {chunked("-5\r\nhello\r\n0\r\n\r\n"), http1.ErrChunkSize},
		"a size with an underscore":            {chunked("0_5\r\nhello\r\n0\r\n\r\n"), http1.ErrChunkSize},
		"a size in quotes":                     {chunked("\"5\"\r\nhello\r\n0\r\n\r\n"), http1.ErrChunkSize},
		"a size behind a space":                {chunked(" 5\r\nhello\r\n0\r\n\r\n"), http1.ErrChunkSize},
		"a size before a space":                {chunked("5 \r\nhello\r\n0\r\n\r\n"), http1.ErrChunkExt},
		"a size before a tab":                  {chunked("5\t\r\nhello\r\n0\r\n\r\n"), http1.ErrChunkExt},
		"an extension":                         {chunked("5;a=b\r\nhello\r\n0\r\n\r\n"), http1.ErrChunkExt},
		"an extension behind the last size":    {chunked("0;a\r\n\r\n"), http1.ErrChunkExt},
		"an extension with LF":                 {chunked("5;\nxx\r\nhello\r\n0\r\n\r\n"), http1.ErrChunkExt},
		"a size before a comma":                {chunked("5,5\r\nhello\r\n0\r\n\r\n"), http1.ErrChunkSize},
		"a size of 16 digits":                  {chunked("0000000000000005\r\nhello\r\n0\r\n\r\n"), http1.ErrChunkSize},
		"a size that overflows":                {chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), http1.ErrChunkSize},
		"a size without an end":                {chunked(strings.Repeat("0", 9000)), http1.ErrChunkSize},
		"a size before LF":                     {chunked("5\nhello\r\n0\r\n\r\n"), http1.ErrBareLF},
		"a size before CR":                     {chunked("5\rhello\r\n0\r\n\r\n"), http1.ErrBareCR},
		"LF behind the data":                   {chunked("5\r\nhello\n0\r\n\r\n"), http1.ErrChunkEnd},
		"CR behind the data":                   {chunked("5\r\nhello\r0\r\n\r\n"), http1.ErrChunkEnd},
		"more data than said":                  {chunked("5\r\nhello!\r\n0\r\n\r\n"), http1.ErrChunkEnd},
		"less data than said":                  {chunked("6\r\nhello\r\n0\r\n\r\n"), http1.ErrChunkEnd},
		"LF as the end":                        {chunked("0\r\n\n"), http1.ErrBareLF},
		"CR as the end":                        {chunked("0\r\n\rx"), http1.ErrBareCR},
		"a trailer without a name":             {chunked("0\r\n: x\r\n\r\n"), http1.ErrTrailer},
		"a trailer without a colon":            {chunked("0\r\nx\r\n\r\n"), http1.ErrTrailer},
		"a trailer with a space":               {chunked("0\r\nx : y\r\n\r\n"), http1.ErrTrailer},
		"a folded trailer":                     {chunked("0\r\nx: y\r\n z\r\n\r\n"), http1.ErrTrailer},
		"a trailer with NUL":                   {chunked("0\r\nx: \x00\r\n\r\n"), http1.ErrTrailer},
		"a trailer with CR":                    {chunked("0\r\nx: a\rb\r\n\r\n"), http1.ErrTrailer},
		"a trailer before LF":                  {chunked("0\r\nx: a\n\r\n"), http1.ErrBareLF},
		"a length behind":                      {chunked("0\r\nContent-Length: 5\r\n\r\n"), http1.ErrTrailer},
		"a coding behind":                      {chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"), http1.ErrTrailer},
		"a twin of it behind":                  {chunked("0\r\nTransfer_Encoding: chunked\r\n\r\n"), http1.ErrTrailer},
		"Host behind":                          {chunked("0\r\nHost: b\r\n\r\n"), http1.ErrTrailer},
		"Authorization behind":                 {chunked("0\r\nauthorization: b\r\n\r\n"), http1.ErrTrailer},
		"a condition behind":                   {chunked("0\r\nIf-Match: b\r\n\r\n"), http1.ErrTrailer},
		"a request instead of the end":         {chunked("0\r\nGET / HTTP/1.1\r\n\r\n"), http1.ErrTrailer},
		"trailers that are too large":          {chunked("0\r\nx: " + strings.Repeat("y", 9000) + "\r\n\r\n"), http1.ErrTrailerLong},
		"trailers without an end":              {chunked("0\r\n" + strings.Repeat("x: y\r\n", 9000)), http1.ErrTrailerLong},
		"more trailers than may be":            {chunked("0\r\n" + strings.Repeat("x: y\r\n", 33) + "\r\n"), http1.ErrTrailerLong},
		"a body behind trailers of the wrong":  {chunked("0\r\nx: y\r\n\n\r\n"), http1.ErrBareLF},
		"a second size instead of the trailer": {chunked("0\r\n5\r\nhello\r\n\r\n"), http1.ErrTrailer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test := func(wire io.Reader) {
				if _, err := readRequest(reading(wire, 64)); !errors.Is(err, refused.want) {
					t.Errorf("got %v, want %v", err, refused.want)
				}
			}
			if len(refused.wire) > 500 {
				test(strings.NewReader(refused.wire))
				return
			}
			inEverySplit(refused.wire, test)
		})
	}
}

func chunked(body string) string {
	return "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n" + body
}

// Whatever the grammar of names and values excludes is refused, byte by byte.
func TestEveryByteThatMayNotStandSomewhereIsRefusedThere(t *testing.T) {
	t.Parallel()
	const (
		tokens  = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		visible = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"
	)
	value := visible + " \t"
	for c := 0x80; c <= 0xff; c++ {
		value += string([]byte{byte(c)})
	}
	for _, place := range []struct{ name, before, behind, allowed string }{
		{"method", "", " / HTTP/1.1\r\n" + host + "\r\n", tokens},
		{"method, inside", "GE", "T / HTTP/1.1\r\n" + host + "\r\n", tokens},
		{"target", "GET /", "x HTTP/1.1\r\n" + host + "\r\n", strings.ReplaceAll(visible, "#", "")},
		{"name", "GET / HTTP/1.1\r\n" + host + "X", "y: z\r\n\r\n", tokens + ":"},
		{"value", "GET / HTTP/1.1\r\n" + host + "X: ab", "cdefghijklmnopq\r\n\r\n", value},
		{"value, near its end", "GET / HTTP/1.1\r\n" + host + "X: abcdefghijklmnopq", "c\r\n\r\n", value},
	} {
		for c := range 256 {
			wire := place.before + string([]byte{byte(c)}) + place.behind
			_, err := readRequest(reading(strings.NewReader(wire), 4096))
			switch allowed := strings.IndexByte(place.allowed, byte(c)) >= 0; {
			case allowed && err != nil:
				t.Errorf("%s: %#02x is refused: %v", place.name, c, err)
			case !allowed && status(err) != 400:
				t.Errorf("%s: %#02x gives %v", place.name, c, err)
			}
		}
	}
}

func TestARequestIsReadAsItsSenderMeantIt(t *testing.T) {
	t.Parallel()
	const head = " HTTP/1.1\r\n" + host
	for name, test := range map[string]struct{ wire, want string }{
		"plain":                       {"GET /a?b=c" + head + "\r\n", "GET /a?b=c a.example 1.1 none 0"},
		"an empty line before":        {"\r\nGET /" + head + "\r\n", "GET / a.example 1.1 none 0"},
		"no space behind the colon":   {"GET / HTTP/1.1\r\nHost:a.example\r\n\r\n", "GET / a.example 1.1 none 0"},
		"white space around a value":  {"GET / HTTP/1.1\r\nHost: \t a.example \t\r\n\r\n", "GET / a.example 1.1 none 0"},
		"another case":                {"GET / HTTP/1.1\r\nhOST: A.Example\r\n\r\n", "GET / a.example 1.1 none 0"},
		"port and trailing dot":       {"GET / HTTP/1.1\r\nHost: a.example.:8080\r\n\r\n", "GET / a.example 1.1 none 0"},
		"IPv6":                        {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / ::1 1.1 none 0"},
		"a method of its own":         {"m-x~ /" + head + "\r\n", "m-x~ / a.example 1.1 none 0"},
		"absolute form":               {"GET HTTP://a.EXAMPLE/x?y" + head + "\r\n", "GET /x?y a.example 1.1 none 0"},
		"absolute form, no path":      {"GET https://a.example" + head + "\r\n", "GET / a.example 1.1 none 0"},
		"absolute form, query only":   {"GET http://a.example?x" + head + "\r\n", "GET /?x a.example 1.1 none 0"},
		"absolute form in 1.0":        {"GET http://b.example/ HTTP/1.0\r\n\r\n", "GET / b.example 1.0 none 0 close"},
		"asterisk":                    {"OPTIONS *" + head + "\r\n", "OPTIONS * a.example 1.1 none 0"},
		"authority of CONNECT":        {"CONNECT b.example:443" + head + "\r\n", "CONNECT b.example:443 a.example 1.1 none 0"},
		"1.0":                         {"GET / HTTP/1.0\r\n\r\n", "GET /  1.0 none 0 close"},
		"1.0 that stays":              {"GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n", "GET /  1.0 none 0"},
		"1.0 that stays and doesn't":  {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET /  1.0 none 0 close"},
		"close":                       {"GET /" + head + "Connection: close\r\n\r\n", "GET / a.example 1.1 none 0 close"},
		"close in a list":             {"GET /" + head + "Connection: ,a,\tClose ,b\r\n\r\n", "GET / a.example 1.1 none 0 close"},
		"close in a second field":     {"GET /" + head + "Connection: a\r\nConnection: close\r\n\r\n", "GET / a.example 1.1 none 0 close"},
		"what only begins with close": {"GET /" + head + "Connection: closed\r\n\r\n", "GET / a.example 1.1 none 0"},
		"length":                      {"POST /" + head + "Content-Length: 5\r\n\r\nhello", "POST / a.example 1.1 length 5 hello"},
		"length with zeros before":    {"POST /" + head + "Content-Length: 005\r\n\r\nhello", "POST / a.example 1.1 length 5 hello"},
		"length of nothing":           {"POST /" + head + "Content-Length: 0\r\n\r\n", "POST / a.example 1.1 none 0"},
		"chunked":                     {"POST /" + head + "Transfer-Encoding: Chunked\r\n\r\n3\r\nhel\r\n02\r\nlo\r\n000\r\n\r\n", "POST / a.example 1.1 chunked -1 hello"},
		"chunked, of nothing":         {"POST /" + head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "POST / a.example 1.1 chunked -1"},
		"a long size":                 {"POST /" + head + "Transfer-Encoding: chunked\r\n\r\n00000000000000A\r\n0123456789\r\n0\r\n\r\n", "POST / a.example 1.1 chunked -1 0123456789"},
		"trailers":                    {"POST /" + head + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\nC:d\r\n\r\n", "POST / a.example 1.1 chunked -1 x A: b|C: d"},
		"Expect":                      {"POST /" + head + "Content-Length: 1\r\nExpect: 100-Continue\r\n\r\nx", "POST / a.example 1.1 length 1 expects x"},
		"Expect without a body":       {"POST /" + head + "Expect: 100-continue\r\n\r\n", "POST / a.example 1.1 none 0"},
		"Expect in 1.0":               {"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nx", "POST /  1.0 length 1 close x"},
		"Upgrade":                     {"GET /" + head + "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n", "GET / a.example 1.1 none 0 websocket"},
		"Upgrade to one of several":   {"GET /" + head + "Connection: Upgrade\r\nUpgrade: websocket , x\r\n\r\n", "GET / a.example 1.1 none 0 websocket"},
		"Upgrade unnamed":             {"GET /" + head + "Upgrade: websocket\r\n\r\n", "GET / a.example 1.1 none 0"},
		"Upgrade in 1.0":              {"GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "GET /  1.0 none 0 close"},
		"names that are nearly":       {"GET /" + head + "ContentsLength: 5\r\nContent0Length: 5\r\nTransferxEncoding: chunked\r\nCookie_Length-: 1\r\n\r\n", "GET / a.example 1.1 none 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inEverySplit(test.wire+"GET /next", func(wire io.Reader) {
				r := reading(wire, 64)
				g, err := readRequest(r)
				if err != nil {
					t.Fatal(err)
				}
				if said := describe(&g); said != test.want {
					t.Errorf("got  %q\nwant %q", said, test.want)
				}
				r.Release()
				if _, err := r.ReadHead(limits()); !errors.Is(err, io.ErrUnexpectedEOF) || r.Buffered() != len("GET /next") {
					t.Errorf("behind it are %d bytes, %v; want those of the next request", r.Buffered(), err)
				}
			})
		})
	}
}

// describe a request in one line.
func describe(g *got) string {
	r := &g.request
	framing := [...]string{http1.None: "none", http1.Length: "length", http1.Chunked: "chunked", http1.UntilClose: "close"}[r.Framing]
	said := fmt.Sprintf("%s %s %s 1.%d %s %d", r.Method, r.Target, r.Authority, r.Minor, framing, r.ContentLength)
	if r.Close {
		said += " close"
	}
	if r.Expects {
		said += " expects"
	}
	for _, more := range []string{r.Upgrade, g.body, fields(&g.trailer)} {
		if more != "" {
			said += " " + more
		}
	}
	return said
}

func TestFieldsAreKeptAsTheyCame(t *testing.T) {
	t.Parallel()
	g, err := readRequest(reading(strings.NewReader("GET / HTTP/1.1\r\nHost: a\r\nx-A:  b  c \r\nX-a:\r\nCookie: \xffa=\"b\"\t;c\r\n\r\n"), 4096))
	if want := "Host: a|x-A: b  c|X-a: |Cookie: \xffa=\"b\"\t;c"; err != nil || fields(&g.header) != want {
		t.Errorf("got %q, %v; want %q", fields(&g.header), err, want)
	}
}

func TestTheHostHasOneSpelling(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(strings.Repeat("a", 49)+".", 5)
	for host, want := range map[string]string{
		"a": "a", "A.B-c_d.9": "a.b-c_d.9", "a.": "a", "a:": "a", "a:0": "a", "a:65535": "a", "a.:1": "a", "1.2.3.4:5": "1.2.3.4",
		"[::1]": "::1", "[2001:DB8:0::1]:443": "2001:db8::1", "[::ffff:1.2.3.4]": "::ffff:1.2.3.4", long + "abc": long + "abc", long + "abc.": long + "abc",
	} {
		if got, ok := http1.Authority(host); !ok || got != want {
			t.Errorf("%q gives %q, %v; want %q", host, got, ok, want)
		}
	}
	for _, host := range []string{
		"", ".", "..", "a..", ".a", "a..b", ":80", "a:65536", "a:000080", "a:-1", "a:+1", "a:1:2", "a b", "a/b", "a?b", "a@b", "a\\b", "a%2eb", "a,b", "\xe4", "a;b", "*", "*.a",
		"[", "[]", "[::1", "::1", "[::1]x", "[::1]:x", "[1.2.3.4]", "[::1%25eth0]", "[::1%eth0]", "[v1.a]", "[[::1]]", long + "abcd",
	} {
		if got, ok := http1.Authority(host); ok {
			t.Errorf("%q is taken for %q", host, got)
		}
	}
}
