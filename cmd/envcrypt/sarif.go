package main

import (
	"net/url"

	"envcrypt/internal/check"
	"envcrypt/internal/vault"
)

// What of SARIF 2.1.0 a list of findings needs:
// https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical struct {
			Artifact struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region struct {
				StartLine int `json:"startLine"`
			} `json:"region"`
		} `json:"physicalLocation"`
	}
)

func (a *app) showSARIF(v *vault.Vault, found []check.Finding) error {
	where := a.repositoryPath(v)
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver.Name = programName
	run.Tool.Driver.Version = buildVersion().Version
	index := make(map[check.ID]int)
	for i, about := range check.About {
		index[about.ID] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{ID: string(about.ID), ShortDescription: sarifText{about.Text}})
	}
	for _, f := range found {
		var at sarifLocation
		at.Physical.Artifact.URI = (&url.URL{Path: where(f.File)}).EscapedPath()
		at.Physical.Region.StartLine = max(f.Line, 1)
		run.Results = append(run.Results, sarifResult{
			RuleID: string(f.ID), RuleIndex: index[f.ID], Level: string(f.Severity),
			Message: sarifText{f.Message + "; " + f.Fix}, Locations: []sarifLocation{at},
			Fingerprints: map[string]string{"envcrypt/v1": string(f.ID) + "/" + f.Environment + "/" + f.Key + "/" + f.File},
		})
	}
	return a.printJSON(sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0", Runs: []sarifRun{run},
	})
}
