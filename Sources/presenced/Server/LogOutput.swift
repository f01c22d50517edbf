import Foundation
import Logging
import MatrixWire

/// Where log messages go: standard error, as text or as one JSON object a line.
enum LogOutput {
    /// To be called once, before the first logger is made.
    static func bootstrap(_ settings: ServerConfiguration.Log) {
        let level = Logger.Level(rawValue: settings.level.rawValue) ?? .info
        let format = settings.format
        LoggingSystem.bootstrap { label in
            switch format {
            case .text:
                var handler = StreamLogHandler.standardError(label: label)
                handler.logLevel = level
                return handler
            case .json:
                return JSONLines(label: label, logLevel: level)
            }
        }
    }
}

/// `{"level","logger","message","time",…}`, the metadata beside them under `metadata`.
private struct JSONLines: LogHandler {
    let label: String
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, later in later }
        var facts = JSONObject()
        for (key, value) in all.sorted(by: { $0.key < $1.key }) { facts[key] = .string("\(value)") }
        let line: JSONValue = [
            "time": .string(Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))),
            "level": .string(event.level.rawValue), "logger": .string(label), "message": .string("\(event.message)"),
            "metadata": .object(facts),
        ]
        FileHandle.standardError.write(Data(CanonicalJSON.encode(line) + [UInt8(ascii: "\n")]))
    }
}
