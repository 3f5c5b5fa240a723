"""Java and .NET: an archive that a stage takes apart, a run-time that a stage cuts down, restore before copy."""

from .shape import Shape

SOURCES = {
    "pom.xml": "<project/>\n",
    "src/main/java/App.java": "class App {}\n",
    "src/test/java/AppTest.java": "class AppTest {}\n",
    "settings.gradle": "x\n",
    "build.gradle": "y\n",
}

SHAPES = [
    Shape(
        "jvm_wildcard_archive",
        """FROM busybox:1.37 AS build
WORKDIR /home/app
COPY pom.xml .
RUN mkdir -p /root/.m2 && cp pom.xml /root/.m2/
COPY src src
RUN mkdir target && cat src/main/java/*.java > target/app-1.0.jar && echo no > target/app-1.0.jar.original
FROM busybox:1.37
COPY --from=build /home/app/target/*.jar /usr/local/lib/app.jar
EXPOSE 8080
ENTRYPOINT ["java","-jar","/usr/local/lib/app.jar"]
""",
        SOURCES,
        ("build /home/app/target/app-1.0.jar -> /usr/local/lib/app.jar",),
    ),
    Shape(
        "jvm_archive_taken_apart_into_layers",
        """FROM busybox:1.37 AS builder
WORKDIR /builder
ARG JAR_FILE=src/main/java/*.java
COPY ${JAR_FILE} application.jar
RUN for layer in dependencies snapshot-dependencies application; do \\
      mkdir -p $layer/BOOT-INF && echo $layer > $layer/BOOT-INF/$layer.txt; done
FROM busybox:1.37
WORKDIR /application
COPY --from=builder /builder/dependencies/ ./
COPY --from=builder /builder/snapshot-dependencies/ ./
COPY --from=builder /builder/application/ ./
ENTRYPOINT ["java", "org.springframework.boot.loader.launch.JarLauncher"]
""",
        SOURCES,
        (
            "builder /builder/dependencies/BOOT-INF/dependencies.txt -> /application/BOOT-INF/dependencies.txt",
            "builder /builder/snapshot-dependencies/BOOT-INF/snapshot-dependencies.txt -> "
            "/application/BOOT-INF/snapshot-dependencies.txt",
            "builder /builder/application/BOOT-INF/application.txt -> /application/BOOT-INF/application.txt",
        ),
    ),
    Shape(
        "jvm_runtime_cut_down",
        """FROM busybox:1.37 AS jre
RUN mkdir -p /jre/bin /jre/lib/server && echo java > /jre/bin/java && chmod 755 /jre/bin/java \\
 && echo so > /jre/lib/server/libjvm.so
FROM busybox:1.37
ENV JAVA_HOME=/opt/java
ENV PATH "${JAVA_HOME}/bin:${PATH}"
COPY --from=jre /jre $JAVA_HOME
COPY src/main/java/App.java /app/
VOLUME ["/data", "/logs"]
HEALTHCHECK --interval=30s --timeout=3s --retries=2 CMD wget -qO- localhost:8080/health || exit 1
CMD java App
""",
        SOURCES,
        ("jre /jre/bin/java -> /opt/java/bin/java", "jre /jre/lib/server/libjvm.so -> /opt/java/lib/server/libjvm.so"),
    ),
    Shape(
        "jvm_base_first_and_final_last",
        """FROM busybox:1.37 AS base
WORKDIR /app
EXPOSE 80
EXPOSE 443
FROM busybox:1.37 AS build
ARG BUILD_CONFIGURATION=Release
WORKDIR /src
COPY ["settings.gradle", "build.gradle", "./"]
RUN cat build.gradle > restored
COPY . .
WORKDIR "/src/."
FROM build AS publish
ARG BUILD_CONFIGURATION=Release
RUN mkdir -p /app/publish && echo $BUILD_CONFIGURATION > /app/publish/App.dll
FROM base AS final
WORKDIR /app
COPY --from=publish /app/publish .
ENTRYPOINT ["dotnet", "App.dll"]
""",
        SOURCES,
        ("publish /app/publish/App.dll -> /app/App.dll",),
    ),
    Shape(
        "jvm_gradle_user",
        """FROM busybox:1.37 AS gradle
RUN echo 'gradle:x:1000:1000::/home/gradle:/bin/sh' >> /etc/passwd && echo 'gradle:x:1000:' >> /etc/group \\
 && mkdir -p /home/gradle && chown 1000:1000 /home/gradle
FROM gradle AS build
COPY --chown=gradle:gradle . /home/gradle/src
WORKDIR /home/gradle/src
USER gradle
RUN mkdir -p build/libs && echo jar > build/libs/app.jar
FROM busybox:1.37
RUN mkdir /app
COPY --from=build /home/gradle/src/build/libs/*.jar /app/
USER 1000:0
""",
        SOURCES,
        ("build /home/gradle/src/build/libs/app.jar -> /app/app.jar",),
    ),
]
