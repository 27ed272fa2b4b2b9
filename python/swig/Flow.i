namespace OpenMMFlow {

%feature("valuewrapper") Flow;

/** A normalizing flow over the configurations of a molecule. Immutable; load() and save() use safetensors files. */
class Flow {
public:
    static Flow load(const std::string& path);
    void save(const std::string& path) const;
    static Flow fromBytes(const std::string& bytes);
    std::string toBytes() const;
    int getNumParticles() const;
    int getNumAugmentedParticles() const;
    const std::string& getFamily() const;
    std::string getConfiguration() const;
    const std::map<std::string, std::string>& getMetadata() const;
    Flow withMetadata(const std::string& key, const std::string& value) const;
    const std::string& getHash() const;
    ~Flow();
};

%extend Flow {
    %pythoncode %{
        num_particles = property(getNumParticles, doc="The number of particles, N.")
        num_augmented_particles = property(getNumAugmentedParticles, doc="The number of augmented particles, A.")
        family = property(getFamily, doc='The name of the family, such as "internal".')
        configuration = property(getConfiguration, doc="The configuration of the family, as JSON.")
        metadata = property(getMetadata, doc="Where the flow came from: a dict of strings.")
        hash = property(getHash, doc="A hash of everything that determines log q.")

        def __reduce__(self):
            return Flow.fromBytes, (self.toBytes(),)

        def __repr__(self):
            return f"<Flow: {self.family}, {self.num_particles} particles, {self.hash}>"
    %}
}

}
