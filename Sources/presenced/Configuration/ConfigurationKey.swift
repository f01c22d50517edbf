import PresenceModel
import Yams

/// One key of the configuration file: where it stands, what may be written, and which setting it is.
///
/// The list ``all`` drives the reader, `check-config` and the test of `Config/presenced.yaml`.
struct ConfigurationKey: Sendable {
    /// Whether the key does anything.
    enum Effect: Hashable, Sendable {
        case active
        /// Read and checked, but without effect so far; the text ends the sentence "takes effect with".
        case reserved(until: String)
    }

    /// Sections and name, joined by dots: `federation.batch.window`.
    let path: String
    /// What may be written: `a duration from 1s to 1h`.
    let rule: String
    let effect: Effect
    let isRequired: Bool
    /// Reads the value and stores it in the configuration.
    let read: @Sendable (_ node: Node, _ folder: String, _ into: inout ServerConfiguration) throws(ValueProblem) -> Void
    /// The configuration's value as it would be written in the file.
    let text: @Sendable (ServerConfiguration) -> String

    init<Value>(
        _ path: String, _ setting: any WritableKeyPath<ServerConfiguration, Value> & Sendable, _ form: ValueForm<Value>,
        effect: Effect = .active, isRequired: Bool = false
    ) {
        self.path = path
        self.rule = form.rule
        self.effect = effect
        self.isRequired = isRequired
        self.read = { (node, folder, configuration) throws(ValueProblem) in
            configuration[keyPath: setting] = try form.read(node, folder)
        }
        self.text = { form.write($0[keyPath: setting]) }
    }

    /// The last part of the path.
    var name: Substring { path.split(separator: ".").last ?? "" }

    /// The path without its last part; empty at the top.
    var section: String { path.split(separator: ".").dropLast().joined(separator: ".") }
}
