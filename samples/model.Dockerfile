# A sample model as an image of its own, for storageUri: oci://…
#   docker build -f samples/model.Dockerfile --build-arg SAMPLE=bert-ner -t modelserve/bert-ner-model .
# KServe runs it beside the server and links its folder, for which it needs a shell.
ARG BASE=busybox:1.37
FROM ${BASE}
ARG SAMPLE=bert-ner
COPY samples/${SAMPLE} /models
