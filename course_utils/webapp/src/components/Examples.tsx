import type { Source } from "../photo";
import { NO_WARNING_PAGE, Unreachable } from "../shared/ask";

const PHOTOS = {
  "cat.png": "a cat",
  "dog.jpg": "a dog",
  "red_panda.jpg": "a red panda",
  "dragonfly.jpg": "a dragonfly",
  "fig.jpg": "half a fig",
  "coffee.png": "a cup of coffee",
  "paintbrush.jpg": "paintbrushes",
  "astronaut.jpg": "an astronaut",
};

interface Props {
  onSource: (source: Source) => void;
  onError: (error: unknown) => void;
}

/** The course's own photos, which the service brings. */
export function Examples({ onSource, onError }: Props) {
  async function take(name: string) {
    try {
      const response = await fetch(`photos/${name}`, { headers: NO_WARNING_PAGE });
      const photo = await response.blob();
      onSource({ photo: new File([photo], name, { type: photo.type }) });
    } catch {
      onError(new Unreachable());
    }
  }

  return (
    <section aria-labelledby="examples">
      <h2 id="examples" className="small">
        Or one of the course’s photos
      </h2>
      <ul className="examples">
        {Object.entries(PHOTOS).map(([name, content]) => (
          <li key={name}>
            <button type="button" className="thumbnail" onClick={() => take(name)}>
              <img src={`photos/${name}`} alt={`Classify ${content}`} />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
