// Lints Argo's manifests as `argo lint --offline` does. The command itself cannot be installed from its
// module: its server's web pages are not in there.
package main

import (
	"context"
	"log"
	"os"

	"github.com/argoproj/argo-workflows/v3/cmd/argo/lint"
	"github.com/argoproj/argo-workflows/v3/pkg/apiclient"
	"github.com/argoproj/argo-workflows/v3/pkg/apis/workflow"
)

func main() {
	files := os.Args[1:]
	ctx, client, err := apiclient.NewClientFromOpts(apiclient.Opts{
		Offline: true, OfflineFiles: files, Context: context.Background(),
	})
	if err != nil {
		log.Fatal(err)
	}
	kinds := []string{workflow.WorkflowPlural, workflow.WorkflowTemplatePlural}
	options := lint.LintOptions{Files: files, Strict: true, DefaultNamespace: "default", Printer: os.Stdout}
	if err := lint.RunLint(ctx, client, kinds, "simple", true, options); err != nil {
		log.Fatal(err)
	}
}
