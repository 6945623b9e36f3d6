package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// sample is the measurements of one command, in the order of the rounds.
type sample []time.Duration

// quantile returns the value below which a part of the sample lies.
func (s sample) quantile(part float64) time.Duration {
	return quantile(s, part)
}

func (s sample) median() time.Duration { return s.quantile(0.5) }

func quantile[T time.Duration | float64](values []T, part float64) T {
	sorted := slices.Sorted(slices.Values(values))
	at := part * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + T(float64(sorted[high]-sorted[low])*(at-float64(low)))
}

// ratios divides two samples round by round: whatever slowed the machine down in
// a round is on both sides.
func ratios(a, b sample) []float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = float64(a[i]) / float64(b[i])
	}
	return r
}

// less subtracts two samples round by round.
func less(a, b sample) sample {
	d := make(sample, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return d
}

// paired runs all commands once per round, each round beginning with another
// one, after some rounds that do not count.
func paired(rounds, warmup int, commands ...func() (time.Duration, error)) ([]sample, error) {
	samples := make([]sample, len(commands))
	for round := range warmup + rounds {
		for i := range commands {
			which := (round + i) % len(commands)
			took, err := commands[which]()
			if err != nil {
				return nil, err
			}
			if round >= warmup {
				samples[which] = append(samples[which], took)
			}
		}
	}
	return samples, nil
}

// program is a command line and what it runs in.
type program struct {
	args []string
	dir  string
	env  []string
}

// run times one run from start to exit. A command that fails is an error.
func (p program) run() (time.Duration, error) {
	cmd := exec.Command(p.args[0], p.args[1:]...)
	cmd.Dir, cmd.Env = p.dir, p.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(p.args, " "), err, &stderr)
	}
	return took, err
}

func ms(d time.Duration) string {
	v := float64(d) / float64(time.Millisecond)
	if v >= 100 {
		return fmt.Sprintf("%.0f ms", v)
	}
	return fmt.Sprintf("%.2f ms", v)
}

// spread prints a sample as a row: median, min, p25, p75, max.
func spread(name string, s sample) {
	fmt.Printf("| %s | %s | %s | %s | %s | %s |\n", name,
		ms(s.median()), ms(s.quantile(0)), ms(s.quantile(0.25)), ms(s.quantile(0.75)), ms(s.quantile(1)))
}

func spreadRatio(name string, r []float64) {
	fmt.Printf("| %s | %.3f | %.3f | %.3f | %.3f | %.3f |\n", name,
		quantile(r, 0.5), quantile(r, 0), quantile(r, 0.25), quantile(r, 0.75), quantile(r, 1))
}

func heading(title string) {
	fmt.Printf("\n### %s\n\n", title)
}

func columns() {
	fmt.Println("| | median | min | p25 | p75 | max |\n|---|---|---|---|---|---|")
}
