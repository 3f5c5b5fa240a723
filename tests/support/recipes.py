"""Dockerfiles that tests of both builders build."""

TWO_STAGES = """FROM busybox:1.37 AS maker
WORKDIR /work
COPY material.txt .
RUN mkdir /out && cat material.txt material.txt > /out/product
FROM busybox:1.37
COPY --from=maker /out/product /product
CMD ["cat", "/product"]
"""
