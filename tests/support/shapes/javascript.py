"""JavaScript and what is built like it: a lock file first, static files for a server, a workspace, a standalone server."""

from .shape import BUILDKIT_ONLY, File, Shape

NPM = File("#!/bin/sh\nmkdir -p node_modules/left-pad && echo pad > node_modules/left-pad/index.js\n", 0o755)
BUNDLE = File(
    "#!/bin/sh\nmkdir -p dist/assets && cat src/*.js > dist/assets/main.js && echo '<html>' > dist/index.html\n", 0o755
)
PROJECT = {
    "package.json": '{"name": "x"}\n',
    "package-lock.json": "{}\n",
    "src/a.js": "a()\n",
    "src/b.js": "b()\n",
    "tools/npm": NPM,
    "tools/bundle": BUNDLE,
}

SHAPES = [
    Shape(
        "javascript_static_files_for_a_server",
        """FROM busybox:1.37 as build
COPY tools /usr/local/bin/
ENV PATH=/usr/local/bin:$PATH
WORKDIR /app
COPY package*.json ./
RUN npm ci
COPY . .
RUN bundle
FROM busybox:1.37
COPY --from=build /app/dist /usr/share/nginx/html
EXPOSE 80
CMD ["httpd", "-f"]
""",
        {**PROJECT, ".dockerignore": "node_modules\ndist\n"},
        (
            "build /app/dist/index.html -> /usr/share/nginx/html/index.html",
            "build /app/dist/assets/main.js -> /usr/share/nginx/html/assets/main.js",
        ),
    ),
    Shape(
        "javascript_dependencies_builder_runner",
        """FROM busybox:1.37 AS base
ENV PATH=/tools:$PATH
COPY tools /tools

FROM base AS deps
WORKDIR /app
COPY package.json package-lock.json* yarn.lock* ./
RUN npm ci

FROM base AS builder
WORKDIR /app
COPY --from=deps /app/node_modules ./node_modules
COPY . .
RUN bundle && mkdir -p .next/standalone .next/static && cp package.json .next/standalone/ && cp dist/index.html .next/static/

FROM busybox:1.37 AS runner
WORKDIR /app
ENV NODE_ENV=production
RUN echo 'nodejs:x:1001:' >> /etc/group && echo 'nextjs:x:1001:1001::/:/bin/sh' >> /etc/passwd
RUN mkdir .next && chown nextjs:nodejs .next
COPY --from=builder --chown=nextjs:nodejs /app/.next/standalone ./
COPY --from=builder --chown=nextjs:nodejs /app/.next/static ./.next/static
USER nextjs
EXPOSE 3000
ENV PORT=3000
CMD ["node", "server.js"]
""",
        PROJECT,
        (
            "builder /app/.next/standalone/package.json -> /app/package.json",
            "builder /app/.next/static/index.html -> /app/.next/static/index.html",
        ),
    ),
    Shape(
        "javascript_development_and_production_dependencies",
        """FROM busybox:1.37 AS development
WORKDIR /srv
COPY --chown=1000:1000 package.json ./
RUN mkdir -p node_modules && echo all > node_modules/all.js
COPY --chown=1000:1000 . .
USER 1000
FROM development AS pruned
RUN echo pruned > /tmp/pruned
FROM busybox:1.37 AS production
WORKDIR /srv
COPY --chown=1000:1000 --from=pruned /srv/node_modules ./node_modules
COPY --chown=1000:1000 --from=development /srv/src ./dist
CMD [ "node", "dist/main.js" ]
""",
        PROJECT,
        (
            "development /srv/node_modules/all.js -> /srv/node_modules/all.js",
            "development /srv/src/a.js -> /srv/dist/a.js",
            "development /srv/src/b.js -> /srv/dist/b.js",
        ),
    ),
    Shape(
        "javascript_workspace_of_two_packages",
        """FROM busybox:1.37 AS pruner
WORKDIR /app
COPY packages packages
RUN mkdir -p out/json out/full && cp -r packages/web out/full/ && cp packages/web/package.json out/json/
FROM busybox:1.37 AS installer
WORKDIR /app
COPY --from=pruner /app/out/json/ .
COPY --from=pruner /app/out/full/ .
RUN echo built > web/built
FROM scratch
COPY --from=installer /app/web /web
""",
        {"packages/web/package.json": "{}\n", "packages/web/i.js": "i\n", "packages/api/package.json": '{"a": 1}\n'},
        (
            "installer /app/web/built -> /web/built",
            "installer /app/web/package.json -> /web/package.json",
            "installer /app/web/i.js -> /web/i.js",
        ),
    ),
    Shape(
        "javascript_package_manager_store",
        """FROM busybox:1.37 AS base
ENV PNPM_HOME="/pnpm"
ENV PATH="$PNPM_HOME:$PATH"
COPY . /app
WORKDIR /app
FROM base AS prod-deps
RUN --mount=type=cache,id=shapes-pnpm,target=/pnpm/store mkdir node_modules && echo p > node_modules/p.js
FROM base AS build
RUN --mount=type=cache,id=shapes-pnpm,target=/pnpm/store mkdir dist && cat src/*.js > dist/all.js
FROM base
COPY --from=prod-deps /app/node_modules /app/node_modules
COPY --from=build /app/dist /app/dist
EXPOSE 8000
CMD [ "pnpm", "start" ]
""",
        PROJECT,
        (
            "prod-deps /app/node_modules/p.js -> /app/node_modules/p.js",
            "build /app/dist/all.js -> /app/dist/all.js",
        ),
        no_classic=BUILDKIT_ONLY,
    ),
    Shape(
        "javascript_site_generator_with_templates",
        """FROM busybox:1.37 AS hugo
ARG HUGO_BASEURL=http://localhost/
ENV HUGO_BASEURL=${HUGO_BASEURL}
COPY ./content /site/content
WORKDIR /site
RUN mkdir public && for page in content/*.md; do \\
      echo "<a href=$HUGO_BASEURL>" > public/$(basename $page .md).html; \\
    done
FROM busybox:1.37
COPY conf/default.conf.template /etc/nginx/templates/
COPY --from=hugo /site/public /usr/share/nginx/html
STOPSIGNAL SIGQUIT
""",
        {"content/one.md": "1\n", "content/two.md": "2\n", "conf/default.conf.template": "listen ${PORT};\n"},
        (
            "hugo /site/public/one.html -> /usr/share/nginx/html/one.html",
            "hugo /site/public/two.html -> /usr/share/nginx/html/two.html",
        ),
        buildargs={"HUGO_BASEURL": "https://example.org/"},
    ),
]
