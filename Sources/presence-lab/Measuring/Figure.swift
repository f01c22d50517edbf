import MatrixWire

/// One measured number, with its unit.
struct Figure: Sendable {
    var name: String
    var value: Double
    var unit: String

    init(_ name: String, _ value: Double, _ unit: String) {
        self.name = name
        self.value = value
        self.unit = unit
    }

    /// Three digits that count, no more than they are worth.
    var text: String {
        if value >= 100 || value == value.rounded() { return "\(Int64(value.rounded()))" }
        if value >= 10 { return "\((value * 10).rounded() / 10)" }
        return "\((value * 1000).rounded() / 1000)"
    }
}

/// What was measured together, and under which conditions.
struct Measurement: Sendable {
    var title: String
    /// What exactly was done, so that somebody else can do it again.
    var conditions: String
    var figures: [Figure]

    var json: JSONValue {
        var values = JSONObject()
        for figure in figures {
            values[figure.name] = ["unit": .string(figure.unit), "value": .fraction(figure.text)]
        }
        return ["title": .string(title), "conditions": .string(conditions), "figures": .object(values)]
    }

    func printText() {
        print("\n\(title)\n  \(conditions)")
        let width = figures.map(\.name.count).max() ?? 0
        for figure in figures {
            let padding = String(repeating: " ", count: width - figure.name.count)
            print("  \(figure.name)\(padding)  \(figure.text) \(figure.unit)")
        }
    }
}
