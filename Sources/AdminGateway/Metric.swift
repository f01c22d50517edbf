/// One thing that is counted, under the labels that tell its instances apart.
public struct Metric: Hashable, Sendable {
    /// How a number moves.
    public enum Kind: String, Hashable, Sendable {
        /// Up, and to 0 at a start.
        case counter
        /// Up and down.
        case gauge
    }

    /// One of the things that are told apart.
    public struct Sample: Hashable, Sendable {
        /// In the order in which they are written; each name once.
        public var labels: [Label]
        /// How many.
        public var value: Int

        /// A sample as given.
        public init(_ value: Int, _ labels: [Label] = []) {
            self.value = value
            self.labels = labels
        }
    }

    /// A name and a text.
    public struct Label: Hashable, Sendable {
        /// Lower-case letters, digits and `_`, a letter first.
        public var name: String
        /// Any text.
        public var value: String

        /// A label as given.
        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Lower-case letters, digits and `_`, a letter first; that of a counter ends in `_total`.
    public var name: String
    /// How the number moves.
    public var kind: Kind
    /// One line for people.
    public var help: String
    /// No two with the same labels.
    public var samples: [Sample]

    /// A metric as given; the name is a programmer's, and checked.
    public init(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
        precondition(Metric.isName(name), "no name of a metric: \(name)")
        precondition(
            (kind == .counter) == name.hasSuffix("_total"), "a counter ends in _total, a gauge does not: \(name)")
        for label in samples.flatMap(\.labels) {
            precondition(Metric.isName(label.name), "no name of a label: \(label.name)")
        }
        self.name = name
        self.kind = kind
        self.help = help
        self.samples = samples
    }

    /// As above, with one sample.
    public init(_ name: String, _ kind: Kind, _ help: String, _ value: Int) {
        self.init(name, kind, help, [Sample(value)])
    }

    private static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
    }
}

/// Metrics in Prometheus' text format, version 0.0.4.
///
/// What has one name stands together, under the kind and the help that came first; a sample whose labels are there
/// already is left out, since the format has no room for it. Facts: Prometheus, exposition formats.
public enum MetricsText {
    /// For the field `Content-Type`.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// In the order in which names came.
    public static func write(_ metrics: [Metric]) -> [UInt8] {
        var (families, places) = ([Metric](), [String: Int]())
        for metric in metrics {
            if let place = places[metric.name] {
                families[place].samples += metric.samples
            } else {
                places[metric.name] = families.count
                families.append(metric)
            }
        }
        var text = ""
        for family in families {
            text += "# HELP \(family.name) \(escaped(family.help))\n# TYPE \(family.name) \(family.kind.rawValue)\n"
            var written: Set<[Metric.Label]> = []
            for sample in family.samples where written.insert(sample.labels).inserted {
                text += "\(family.name)\(labels(sample.labels)) \(sample.value)\n"
            }
        }
        return Array(text.utf8)
    }

    private static func labels(_ labels: [Metric.Label]) -> String {
        guard !labels.isEmpty else { return "" }
        let pairs = labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }
        return "{\(pairs.joined(separator: ","))}"
    }

    private static func escaped(_ text: String, quotes: Bool = false) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
