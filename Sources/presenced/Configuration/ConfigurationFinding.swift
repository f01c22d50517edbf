/// One thing to say about a configuration file: where, about which key, and what.
///
/// Written as `presenced.yaml:12: federation.batch.window: 'ten' is not a duration; write 10s, 500ms, 5m, 1h`.
struct ConfigurationFinding: Hashable, Sendable {
    /// The file as the operator named it.
    var file: String
    /// From 1; `nil` if it concerns the file as a whole.
    var line: Int?
    /// The full path of the key; `nil` if it concerns none.
    var key: String?
    /// What is wrong and what would mend it.
    var message: String
}

extension ConfigurationFinding: CustomStringConvertible {
    var description: String {
        let place = line.map { "\(file):\($0)" } ?? file
        return ([place] + (key.map { [$0] } ?? []) + [message]).joined(separator: ": ")
    }
}

/// Everything that is wrong with a configuration file, in the order of its lines; never empty.
struct ConfigurationError: Error, Hashable, Sendable {
    var problems: [ConfigurationFinding]
}

extension ConfigurationError: CustomStringConvertible {
    var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// What a configuration file says.
struct ConfigurationReading: Hashable, Sendable {
    var configuration: ServerConfiguration
    /// One per reserved key that is set to something other than its default, in the order of the lines.
    var notes: [ConfigurationFinding]
}
