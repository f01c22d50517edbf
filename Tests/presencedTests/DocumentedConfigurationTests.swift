import Foundation
import PresenceModel
import Testing

@testable import presenced

/// `Config/presenced.yaml` is what operators read: it must say what the reader does.
@Suite struct DocumentedConfigurationTests {
    private static let file = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Config/presenced.yaml").path

    @Test func `the example is valid as it stands and equals the defaults`() throws {
        let reading = try ConfigurationReader.read(file: DocumentedConfigurationTests.file)
        var expected = ServerConfiguration()
        expected.serverName = try ServerName(parsing: "example.org")
        expected.dataDirectory = PathText.folder(of: DocumentedConfigurationTests.file) + "/presenced-data"
        #expect(reading.configuration == expected)
        #expect(reading.notes.isEmpty)
    }

    @Test func `the example holds every key, in the order of the list`() throws {
        #expect(try documented().map(\.path) == ConfigurationKey.all.map(\.path))
    }

    @Test func `the comment of every key tells its rule, its default and whether it is reserved`() throws {
        let defaults = ServerConfiguration()
        let comments = Dictionary(uniqueKeysWithValues: try documented().map { ($0.path, $0.comment) })
        for key in ConfigurationKey.all {
            let comment = try #require(comments[key.path], "\(key.path)")
            #expect(comment.localizedCaseInsensitiveContains(key.rule), "\(key.path): \(key.rule)")
            if !key.isRequired {
                #expect(comment.contains("default \(key.text(defaults))."), "\(key.path): \(key.text(defaults))")
            }
            switch key.effect {
            case .active: #expect(!comment.contains("RESERVED"), "\(key.path)")
            case .reserved(let until):
                #expect(comment.contains("RESERVED, takes effect with \(until):"), "\(key.path)")
            }
        }
    }

    @Test func `every time of the design's table of defaults is a key`() {
        let table = [
            "presence.offline_after": "30s", "presence.idle_after": "5m", "presence.busy_ends_after": "1h",
            "presence.age_granularity": "1m", "federation.batch.window": "10s", "federation.batch.stretch": "1m",
            "federation.watchdog.short": "1m", "federation.watchdog.long": "1h", "federation.promise": "65m",
            "federation.silent_after": "3", "federation.legacy.refresh": "25m", "federation.legacy.room_limit": "1000",
            "federation.unpoll_grace": "1m", "social.heartbeat": "30s", "social.timeout": "2m",
            "federation.retry.first": "10s", "federation.retry.factor": "2", "federation.retry.limit": "1h",
            "federation.retry.jitter": "0.2",
        ]
        let defaults = ServerConfiguration()
        let texts = Dictionary(uniqueKeysWithValues: ConfigurationKey.all.map { ($0.path, $0.text(defaults)) })
        for (path, text) in table { #expect(texts[path] == text, "\(path)") }
    }

    /// The keys of the example with the comments right above them, in order.
    private func documented() throws -> [(path: String, comment: String)] {
        let text = try String(contentsOfFile: DocumentedConfigurationTests.file, encoding: .utf8)
        let known = Set(ConfigurationKey.all.map(\.path))
        var found: [(path: String, comment: String)] = []
        var comment: [Substring] = []
        var sections: [Substring] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let content = line.drop { $0 == " " }
            guard !content.isEmpty else {
                comment = []
                continue
            }
            guard content.first != "#" else {
                comment.append(content.dropFirst(2))
                continue
            }
            let depth = line.prefix { $0 == " " }.count / 2
            sections = sections.prefix(depth) + [content.prefix { $0 != ":" }]
            let path = sections.joined(separator: ".")
            if known.contains(path) { found.append((path, comment.joined(separator: " "))) }
            comment = []
        }
        return found
    }
}
