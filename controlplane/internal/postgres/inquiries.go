package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/postgres/dbsqlc"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

var (
	_ fleet.InquiryStore = (*Fleet)(nil)
	_ fleet.InquiryWakes = (*Listener)(nil)
)

// PostInquiry keeps a question, and tells the other replicas.
func (f *Fleet) PostInquiry(ctx context.Context, inquiry fleet.Inquiry, most int) error {
	n, err := f.queries.InsertInquiry(ctx, dbsqlc.InsertInquiryParams{
		ID: uuid(inquiry.ID), Environment: inquiry.Environment, Node: inquiry.Node, Question: inquiry.Question,
		WithinSeconds: inquiry.Within.Seconds(), Most: int64(most),
	})
	if err != nil {
		return fmt.Errorf("leave a question for another replica: %w", translate(err))
	}
	if n == 0 {
		return problem.Errorf(problem.RateLimited, "the node has %d questions yet to answer; try again in a moment", most)
	}
	return f.tellInquiries(ctx)
}

// TakeInquiries returns questions to these nodes, each to one taker alone.
func (f *Fleet) TakeInquiries(ctx context.Context, nodes []string, most int) ([]fleet.Inquiry, error) {
	rows, err := f.queries.TakeInquiries(ctx, dbsqlc.TakeInquiriesParams{Nodes: nodes, Most: int32(most)})
	if err != nil {
		return nil, fmt.Errorf("take questions: %w", translate(err))
	}
	inquiries := make([]fleet.Inquiry, len(rows))
	for i, row := range rows {
		inquiries[i] = fleet.Inquiry{
			ID: row.ID.Bytes, Environment: row.Environment, Node: row.Node, Question: row.Question,
			Within: time.Duration(row.LeftSeconds * float64(time.Second)),
		}
	}
	return inquiries, nil
}

// AnswerInquiry keeps the answer, and tells the other replicas.
func (f *Fleet) AnswerInquiry(ctx context.Context, question id.ID, answer []byte) error {
	if _, err := f.queries.AnswerInquiry(ctx, dbsqlc.AnswerInquiryParams{ID: uuid(question), Answer: answer}); err != nil {
		return fmt.Errorf("keep an answer: %w", translate(err))
	}
	return f.tellInquiries(ctx)
}

// InquiryAnswer returns the answer; nil while there is none.
func (f *Fleet) InquiryAnswer(ctx context.Context, question id.ID) ([]byte, error) {
	answer, err := f.queries.GetInquiryAnswer(ctx, uuid(question))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, problem.Errorf(problem.Unavailable, "the database lost the question; ask again") // it is unlogged
	}
	return answer, translate(err)
}

// DropInquiry removes a question that nobody waits for.
func (f *Fleet) DropInquiry(ctx context.Context, question id.ID) error {
	return translate(f.queries.DeleteInquiry(ctx, uuid(question)))
}

// SweepInquiries removes what is long over.
func (f *Fleet) SweepInquiries(ctx context.Context) error {
	return translate(f.queries.SweepInquiries(ctx))
}

func (f *Fleet) tellInquiries(ctx context.Context) error {
	if err := f.queries.NotifyInquiries(ctx); err != nil {
		return fmt.Errorf("tell of a question: %w", translate(err))
	}
	return nil
}

// Inquiries returns a channel that is told when there are new questions or answers, and what ends that.
func (l *Listener) Inquiries() (<-chan struct{}, func()) {
	wake := make(chan struct{}, 1)
	l.lock.Lock()
	defer l.lock.Unlock()
	l.inquiries[wake] = struct{}{}
	return wake, func() {
		l.lock.Lock()
		defer l.lock.Unlock()
		delete(l.inquiries, wake)
	}
}

func (l *Listener) tellInquiries() {
	l.lock.Lock()
	defer l.lock.Unlock()
	for wake := range l.inquiries {
		select {
		case wake <- struct{}{}:
		default: // it is about to look anyway
		}
	}
}
