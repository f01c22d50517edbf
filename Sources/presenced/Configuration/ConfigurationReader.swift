import Foundation
import PresenceModel
import Yams

/// Reads a configuration file and names everything that is wrong with it, not only the first thing.
struct ConfigurationReader {
    /// A larger file is refused.
    static let limitBytes = 1 << 20

    private let file: String
    private let folder: String
    private var configuration = ServerConfiguration()
    private var problems: [ConfigurationFinding] = []
    /// The lines of the keys that the file sets.
    private var lines: [String: Int] = [:]
    private var unreadable: Set<String> = []

    /// Reads the file at `path`.
    /// - Throws: ``ConfigurationError`` with every problem, or the one that the file cannot be read.
    static func read(file path: String) throws(ConfigurationError) -> ConfigurationReading {
        let bytes: Data
        do {
            bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw ConfigurationError(problems: [
                ConfigurationFinding(file: path, message: "cannot be read: \(reason(for: error))")
            ])
        }
        guard bytes.count <= limitBytes, let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigurationError(problems: [
                ConfigurationFinding(file: path, message: "is not UTF-8 text of at most \(SizeText.write(limitBytes))")
            ])
        }
        return try read(text, file: path)
    }

    /// Reads `text` as if it stood in `file`, whose folder is where relative paths begin.
    /// - Throws: ``ConfigurationError`` with every problem.
    static func read(_ text: String, file: String) throws(ConfigurationError) -> ConfigurationReading {
        var reader = ConfigurationReader(file: file)
        reader.read(text)
        guard reader.problems.isEmpty else {
            let inOrder = reader.problems.enumerated().sorted { left, right in
                (left.element.line ?? .max, left.offset) < (right.element.line ?? .max, right.offset)
            }
            throw ConfigurationError(problems: inOrder.map(\.element))
        }
        return ConfigurationReading(configuration: reader.configuration, notes: reader.notes)
    }

    private init(file: String) {
        self.file = file
        folder = PathText.folder(of: file)
        configuration.dataDirectory = PathText.resolve(configuration.dataDirectory, in: folder)
    }

    private mutating func read(_ text: String) {
        do {
            guard let root = try Yams.compose(yaml: text), !root.isNull else { return checkRequired() }
            guard case .mapping(let mapping) = root else {
                return report(line: root.mark?.line, key: nil, "begin with keys, such as server_name: example.org")
            }
            read(mapping, section: "")
            checkRequired()
            checkConsistency()
        } catch {
            let (line, message) = ConfigurationReader.describe(error)
            report(line: line, key: nil, message)
        }
    }

    private mutating func read(_ mapping: Node.Mapping, section: String) {
        for (name, value) in mapping {
            let line = name.mark?.line
            guard case .scalar(let scalar) = name, !scalar.string.isEmpty else {
                report(line: line, key: section.isEmpty ? nil : section, "a key is a plain word")
                continue
            }
            let path = section.isEmpty ? scalar.string : section + "." + scalar.string
            let isOnePart = !scalar.string.contains(".")
            if isOnePart, let key = ConfigurationKey.byPath[path] {
                read(key, from: value, line: line)
            } else if isOnePart, ConfigurationKey.sections.contains(path) {
                readSection(path, from: value, line: line)
            } else {
                reportUnknown(path, line: line)
            }
        }
    }

    private mutating func read(_ key: ConfigurationKey, from value: Node, line: Int?) {
        lines[key.path] = line
        do throws(ValueProblem) {
            try key.read(value, folder, &configuration)
        } catch {
            unreadable.insert(key.path)
            report(line: line, key: key.path, error.message)
        }
    }

    private mutating func readSection(_ path: String, from value: Node, line: Int?) {
        guard !value.isNull else { return }
        guard case .mapping(let mapping) = value else {
            return report(line: line, key: path, "is a section; write its keys on the lines below, indented")
        }
        read(mapping, section: path)
    }

    private mutating func reportUnknown(_ path: String, line: Int?) {
        let known = ConfigurationKey.all.map(\.path) + ConfigurationKey.sections.sorted()
        var message = "is not a key"
        if let suggestion = NearestName.suggestion(for: path, among: known) {
            message += suggestion == path ? "; write each part as a section" : "; did you mean \(suggestion)?"
        }
        report(line: line, key: path, message)
    }

    private mutating func checkRequired() {
        for key in ConfigurationKey.all where key.isRequired && lines[key.path] == nil {
            report(line: nil, key: key.path, "is missing; write \(key.rule)")
        }
    }

    private mutating func checkConsistency() {
        for rule in ConsistencyRule.all where unreadable.isDisjoint(with: rule.keys) {
            guard let message = rule.finding(configuration) else { continue }
            report(line: rule.keys.compactMap { lines[$0] }.first, key: rule.keys.first, message)
        }
    }

    /// What `check-config` says of keys that do nothing yet.
    private var notes: [ConfigurationFinding] {
        let defaults = ServerConfiguration()
        return ConfigurationKey.all.compactMap { key -> ConfigurationFinding? in
            guard case .reserved(let until) = key.effect, let line = lines[key.path] else { return nil }
            let value = key.text(configuration)
            guard value != key.text(defaults) else { return nil }
            let message = "\(value) is valid, but has no effect yet; the key takes effect with \(until)"
            return ConfigurationFinding(file: file, line: line, key: key.path, message: message)
        }
        .sorted { ($0.line ?? 0) < ($1.line ?? 0) }
    }

    private mutating func report(line: Int?, key: String?, _ message: String) {
        problems.append(ConfigurationFinding(file: file, line: line, key: key, message: message))
    }
}

extension ConfigurationReader {
    /// Where the text stops being YAML, and why.
    private static func describe(_ error: any Error) -> (line: Int?, message: String) {
        guard let error = error as? YamlError else { return (nil, "is not YAML: \(error)") }
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let whole = [context?.text, problem].compactMap(\.self).joined(separator: " ")
            return (mark.line, "is not YAML: \(whole)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.map { "'\($0)'" }.joined(separator: ", ")
            return (context.mark.line, "\(names): written more than once in the same section")
        default:
            return (nil, "is not YAML: \(error)")
        }
    }

    private static func reason(for error: any Error) -> String {
        switch (error as? CocoaError)?.code {
        case .fileNoSuchFile?, .fileReadNoSuchFile?: "there is no such file"
        case .fileReadNoPermission?: "permission denied"
        default: "\(error.localizedDescription)"
        }
    }
}

extension ConfigurationKey {
    fileprivate static let byPath = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })

    /// The paths of every section, at every depth.
    fileprivate static let sections: Set<String> = {
        var sections: Set<String> = []
        for key in all {
            var parts = key.path.split(separator: ".").dropLast()
            while !parts.isEmpty {
                sections.insert(parts.joined(separator: "."))
                parts = parts.dropLast()
            }
        }
        return sections
    }()
}
