import ArgumentParser
import HomeserverLink
import MatrixWire

/// `presenced doctor`: looks at the whole set-up beside a homeserver, and says what to mend.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look at the whole set-up beside a homeserver, and say what to mend.",
        discussion: """
            Run it on the machine that presenced runs on, as the same user, while presenced and the homeserver run. It \
            changes nothing. One line for each check: ok, warning, failed, or left out; an arrow says what to do. Every \
            question has a time-out of 10 s, or that of federation. The status is 0 if nothing failed, else 1.
            """)

    @Option(help: "The configuration file that presenced runs with, in YAML.")
    var config: String

    @Option(
        help: """
            The address that clients use, through the reverse proxy, such as https://matrix.example.org; without it the \
            reverse proxy is not looked at.
            """)
    var publicURL: String?

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        let origin = try publicURL.map { text in
            guard let origin = try? HomeserverOrigin(parsing: text) else {
                throw ValidationError("--public-url is http:// or https:// and a host, without a path.")
            }
            return origin
        }
        var findings: [Finding] = []
        let tell = { (finding: Finding) in
            findings.append(finding)
            if !json { for line in finding.lines { print(line) } }
        }
        do throws(ConfigurationError) {
            let reading = try ConfigurationReader.read(file: config)
            tell(.ok("configuration", "\(config) reads"))
            await Doctor(configuration: reading.configuration, publicURL: origin, tell: tell).examine()
        } catch {
            for problem in error.problems {
                tell(.failed("configuration", "\(problem)", do: "Mend it; presenced check-config reads it again."))
            }
            tell(.leftOut("everything else", "the configuration cannot be read"))
        }
        print(json ? DoctorCommand.document(findings) : DoctorCommand.summary(findings))
        if findings.contains(where: { $0.verdict == .failed }) { throw ExitCode.failure }
    }

    static func summary(_ findings: [Finding]) -> String {
        func count(_ verdict: Finding.Verdict) -> Int { findings.count { $0.verdict == verdict } }
        let (failed, warnings, leftOut) = (count(.failed), count(.warning), count(.leftOut))
        if failed + warnings + leftOut == 0 { return "All is well." }
        let parts = [(failed, "failed"), (warnings, warnings == 1 ? "warning" : "warnings"), (leftOut, "left out")]
        return parts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ") + "."
    }

    /// `{"checks":[{"name","result","found","do"}],"failed":n,"warnings":n}`
    static func document(_ findings: [Finding]) -> String {
        let count = { (verdict: Finding.Verdict) in JSONValue.integer(Int64(findings.count { $0.verdict == verdict })) }
        let document: JSONValue = [
            "checks": .array(findings.map(\.json)), "failed": count(.failed), "warnings": count(.warning),
            "version": .string(Presenced.version),
        ]
        return String(decoding: CanonicalJSON.encode(document), as: UTF8.self)
    }
}
