"""Decides: one AdmissionReview, settings and role bindings in, one answer out.

Pure: nothing here opens a file or a socket, reads a clock or the environment, or writes a log line.
"""
