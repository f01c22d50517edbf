import MatrixWire

/// What came of one check.
struct Finding: Hashable, Sendable {
    enum Verdict: String, Hashable, Sendable, CaseIterable {
        case ok
        /// It works, or may work; somebody should look at it.
        case warning
        /// It does not work.
        case failed
        /// Not checked, because another check failed or nobody asked for it.
        case leftOut = "left out"
    }

    /// What was checked, in a few words.
    var name: String
    var verdict: Verdict
    /// What was found. Never with a token or a key in it.
    var found: String
    /// What to do about it, for somebody who is tired; `nil` where there is nothing to do.
    var todo: String?

    static func ok(_ name: String, _ found: String) -> Finding { Finding(name: name, verdict: .ok, found: found) }

    static func warning(_ name: String, _ found: String, do todo: String) -> Finding {
        Finding(name: name, verdict: .warning, found: found, todo: todo)
    }

    static func failed(_ name: String, _ found: String, do todo: String) -> Finding {
        Finding(name: name, verdict: .failed, found: found, todo: todo)
    }

    static func leftOut(_ name: String, _ reason: String) -> Finding {
        Finding(name: name, verdict: .leftOut, found: reason)
    }
}

extension Finding {
    /// For people: what was found on one line, and what to do on another.
    var lines: [String] {
        let word = verdict.rawValue + String(repeating: " ", count: 8 - verdict.rawValue.count)
        return ["\(word)  \(name): \(found)"] + (todo.map { ["          → \($0)"] } ?? [])
    }

    /// For programs.
    var json: JSONValue {
        var object = JSONObject()
        object["name"] = .string(name)
        object["result"] = .string(verdict == .leftOut ? "left_out" : verdict.rawValue)
        object["found"] = .string(found)
        if let todo { object["do"] = .string(todo) }
        return .object(object)
    }
}
